package portmap

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

const recordFile = "/etc/apache2/.ports.conf.ibforge-ports"

// TestMoves is what happens when a site moves a port that an earlier start has
// written already: the service's own number is gone from the file by then.
func TestMoves(t *testing.T) {
	web := func(h, s int) []contract.Port {
		return []contract.Port{to(h, http(listen, 1)), to(s, https(listen, 1))}
	}
	type step struct {
		// content is what the service writes before, "" if nothing.
		content string
		ports   []contract.Port
		want    string
	}
	const own = "Listen 80\nListen 443\n"
	tests := []struct {
		name  string
		steps []step
	}{
		{"elsewhere, and back", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{"", web(9080, 9443), "Listen 9080\nListen 9443\n"},
			{"", web(80, 443), own},
			{"", web(8080, 8443), "Listen 8080\nListen 8443\n"},
		}},
		{"written anew in between", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{own, web(9080, 9443), "Listen 9080\nListen 9443\n"},
		}},
		// UFM's UpdCfg and sed -i replace the file and keep what was in it.
		{"replaced with the numbers in it", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{"# new\nListen 8080\nListen 443\n", web(9080, 9443), "# new\nListen 9080\nListen 9443\n"},
		}},
		{"moved by hand", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{"Listen 9080\nListen 443\n", web(9080, 8443), "Listen 9080\nListen 8443\n"},
		}},
		{"two change places", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{"", web(8443, 8080), "Listen 8443\nListen 8080\n"},
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
		}},
		{"one takes the place of the other", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{"", web(8443, 9443), "Listen 8443\nListen 9443\n"},
			{"", web(9443, 8443), "Listen 9443\nListen 8443\n"},
		}},
		{"a port less", []step{
			{own, web(8080, 8443), "Listen 8080\nListen 8443\n"},
			{"", web(9080, 0)[:1], "Listen 9080\nListen 8443\n"},
			{"", web(9080, 9443), "Listen 9080\nListen 9443\n"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, nil)
			for i, s := range tt.steps {
				if s.content != "" {
					put(t, root, file, s.content)
				}
				rewriteOK(t, root, s.ports...)
				if diff := cmp.Diff(s.want, contents(t, root)[file]); diff != "" {
					t.Fatalf("step %d (-want +got):\n%s", i+1, diff)
				}
			}
		})
	}
}

// A machine may lose its power between any two writes.
func TestMovesInterrupted(t *testing.T) {
	const pending = `{"version":1,"written":{"80/tcp":[8080,9080]}}` + "\n"
	for name, content := range map[string]string{"before the file was written": "Listen 8080\n", "after": "Listen 9080\n", "the service wrote it anew": "Listen 80\n"} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{file: content, recordFile: pending})
			rewriteOK(t, root, to(9080, http(listen, 1)))
			rewriteOK(t, root, to(7080, http(listen, 1)))
			want := map[string]string{file: "Listen 7080\n", recordFile: `{"version":1,"written":{"80/tcp":[7080]}}` + "\n"}
			if diff := cmp.Diff(want, contents(t, root)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Without the record nobody knows whose number it is, and the file stays.
func TestMovesWithoutRecord(t *testing.T) {
	root := tree(t, map[string]string{file: "Listen 80\n"})
	rewriteOK(t, root, http(listen, 1))
	if err := os.Remove(root + recordFile); err != nil {
		t.Fatal(err)
	}
	rewriteOK(t, root, http(listen, 1)) // nothing to do
	_, err := Rewrite(root, portMap(to(9080, http(listen, 1))), unit)
	want := file + `: port http: match "^\\s*Listen\\s+{port}\\s*$": wanted 1, found 0: looked for 80, 9080, and it holds 8080 there: if that is this port, put 80 back into the file; if not, correct the match or the count in the description`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if diff := cmp.Diff(map[string]string{file: "Listen 8080\n"}, contents(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
