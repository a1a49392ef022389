package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommand(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		vars []string
		want string
	}{
		{
			name: "default playbook",
			o:    Options{Inventory: []string{"localhost,"}},
			want: `ansible-playbook
--inventory=localhost,
ibforge.fabric.deploy`,
		},
		{
			name: "everything",
			o: Options{
				Playbook: "site.yml", Inventory: []string{"hosts", "more hosts/"}, Limit: "controllers:!ctl3",
				Check: true, Diff: true, Tags: []string{"opensm", "ports"}, SkipTags: []string{"never"}, Verbosity: 3,
			},
			vars: []string{"@/tmp/x/extra-vars-1.yml", "@ibforge-images.yml"},
			want: `ansible-playbook
--inventory=hosts
--inventory=more hosts/
--check
--diff
--extra-vars=@/tmp/x/extra-vars-1.yml
--extra-vars=@ibforge-images.yml
--limit=controllers:!ctl3
--skip-tags=never
--tags=opensm,ports
-vvv
site.yml`,
		},
		{name: "v", o: Options{Inventory: []string{"h"}, Verbosity: 1}, want: "ansible-playbook\n--inventory=h\n-v\nibforge.fabric.deploy"},
		{name: "vv", o: Options{Inventory: []string{"h"}, Verbosity: 2}, want: "ansible-playbook\n--inventory=h\n-vv\nibforge.fabric.deploy"},
		{name: "more than vvvv", o: Options{Inventory: []string{"h"}, Verbosity: 9}, want: "ansible-playbook\n--inventory=h\n-vvvv\nibforge.fabric.deploy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			argv, err := newCommand("ansible-playbook", tt.o.withDefaults(), tt.vars).Command()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, strings.Join(argv, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseKeyValues(t *testing.T) {
	tests := []struct {
		arg  string
		want map[string]string
	}{
		{`a=1`, map[string]string{"a": "1"}},
		{`a=1  b=two c=`, map[string]string{"a": "1", "b": "two", "c": ""}},
		{`a="two words" b='it''s'`, map[string]string{"a": "two words", "b": "it''s"}},
		{`a={{ b + 1 }} c={% if x %}y{% endif %}`, map[string]string{"a": "{{ b + 1 }}", "c": "{% if x %}y{% endif %}"}},
		{`a="say \"hi\"" b=C:\new c=\x41\u00e9\q`, map[string]string{"a": `say "hi"`, "b": "C:\new", "c": `Aé\q`}},
		{"a=1\nb=2", map[string]string{"a": "1", "b": "2"}},
		{`a=b=c url=http://x/?q=1`, map[string]string{"a": "b=c", "url": "http://x/?q=1"}},
	}
	for _, tt := range tests {
		got, err := parseKeyValues(tt.arg)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.arg, err, diff)
		}
	}
}

func TestExtraVarsRefused(t *testing.T) {
	tests := []struct{ arg, want string }{
		{`hush`, "neither key=value"},
		{`=hush`, "neither key=value"},
		{`msg=two hush`, `quote a value that holds blanks: msg='two words'`},
		{`a="hush`, "not closed"},
		{`a={{ hush`, "not closed"},
		{`{"a": "hush"`, "neither a JSON nor a YAML mapping"},
		{`["hush"]`, "neither a JSON nor a YAML mapping"},
		{`./hush.yml`, "put @ in front"},
	}
	for _, tt := range tests {
		_, err := extraVarsFile(tt.arg)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.arg, err, tt.want)
			continue
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error tells the value: %v", tt.arg, err)
		}
	}
}

func TestMergeEnviron(t *testing.T) {
	got := mergeEnviron(
		[]string{"PATH=/bin", "ANSIBLE_STDOUT_CALLBACK=yaml", "ANSIBLE_COLLECTIONS_PATHS=/old", "ANSIBLE_HOST_KEY_CHECKING=True", "A=2", "A=1"},
		map[string]string{"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl", "ANSIBLE_COLLECTIONS_PATH": "/new"})
	want := []string{"PATH=/bin", "ANSIBLE_HOST_KEY_CHECKING=True", "A=2", "A=1", "ANSIBLE_COLLECTIONS_PATH=/new", "ANSIBLE_STDOUT_CALLBACK=ansible.posix.jsonl"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.Contains(mergeEnviron([]string{"ANSIBLE_COLLECTIONS_PATHS=/old"}, nil), "ANSIBLE_COLLECTIONS_PATHS=/old") {
		t.Error("the old name goes only where the new one is set")
	}
}
