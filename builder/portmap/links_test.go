package portmap

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRewriteLinks(t *testing.T) {
	outside := tree(t, map[string]string{"/x": "Listen 80\n"})
	tests := []struct {
		name, path string
		links      map[string]string
	}{
		{"relative", "/etc/sites-enabled/x", map[string]string{"/etc/sites-enabled/x": "-> ../../opt/x"}},
		{"absolute, below the root", "/etc/x", map[string]string{"/etc/x": "-> /opt/x"}},
		{"directory", "/etc/conf/x", map[string]string{"/etc/conf": "-> /opt/"}},
		{"link to a link", "/etc/x", map[string]string{"/etc/x": "-> y", "/etc/y": "-> ./../opt/x"}},
		{"above the root", "/etc/x", map[string]string{"/etc/x": "-> ../../../../../../../../../opt/x"}},
		{"to what lies outside of the root", "/etc/x", map[string]string{"/etc/x": "-> " + outside + "/x", outside + "/x": "-> /opt/x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, with(tt.links, map[string]string{"/opt/x": "Listen 80\n"}))
			if diff := cmp.Diff([]string{tt.path}, rewriteOK(t, root, at(tt.path, http(listen, 1)))); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			want := with(tt.links, map[string]string{"/opt/x": "Listen 8080\n", "/opt/.x.ibforge-ports": `{"version":1,"written":{"80/tcp":[8080]}}` + "\n"})
			if diff := cmp.Diff(want, contents(t, root)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := contents(t, outside)["/x"]; got != "Listen 80\n" {
				t.Errorf("outside of the root is now %q", got)
			}
		})
	}
}

// Two texts of one file would undo each other.
func TestRewriteOneFileByTwoPaths(t *testing.T) {
	root := tree(t, map[string]string{"/opt/files/conf/gv.cfg": "Listen 80\nListen 443\n", "/opt/conf": "-> /opt/files/conf"})
	changed := rewriteOK(t, root, at("/opt/conf/gv.cfg", http(listen, 1)), at("/opt/files/conf/gv.cfg", https(listen, 1)))
	if diff := cmp.Diff([]string{"/opt/conf/gv.cfg"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if got := contents(t, root)["/opt/files/conf/gv.cfg"]; got != "Listen 8080\nListen 8443\n" {
		t.Errorf("got %q", got)
	}
}
