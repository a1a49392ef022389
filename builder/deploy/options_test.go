package deploy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes a file with its directories below dir and returns its path.
func write(t *testing.T, dir, name, content string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheckInventory(t *testing.T) {
	home := t.TempDir()
	file := write(t, home, "hosts", "ctl1\n", 0o644)
	environ := []string{"HOME=" + home, "SITE=" + home}
	valid := [][]string{{file}, {home}, {"localhost,"}, {"ctl1,ctl2"}, {"~/hosts"}, {"$SITE/hosts"}, {file, "ctl9,"}}
	for _, inventory := range valid {
		if err := (Options{Inventory: inventory, Environ: environ}).checkInventory(); err != nil {
			t.Errorf("%q: %v", inventory, err)
		}
	}
	invalid := map[string][]string{
		`a host list that ends in a comma such as "ctl1,"`:                                                             nil,
		`inventory "localhost" does not exist; give the path of an inventory file or directory, or write "localhost,"`: {file, "localhost"},
		`inventory "" does not exist`: {""},
	}
	for want, inventory := range invalid {
		err := (Options{Inventory: inventory, Environ: environ}).checkInventory()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", inventory, err, want)
		}
	}
}

func TestFindProgram(t *testing.T) {
	onPath, project, empty := t.TempDir(), t.TempDir(), t.TempDir()
	first := write(t, onPath, "ansible-playbook", "", 0o755)
	venv := write(t, project, ".cache/venv/bin/ansible-playbook", "", 0o755)
	plain := write(t, empty, "no-program", "", 0o644)
	tests := []struct {
		name string
		o    Options
		want string
		err  string
	}{
		{name: "on PATH", o: Options{Environ: []string{"PATH=" + empty + ":" + onPath}, ProjectDir: project}, want: first},
		{name: "in the project", o: Options{Environ: []string{"PATH=" + empty}, ProjectDir: project}, want: venv},
		{name: "given as path", o: Options{AnsiblePlaybook: venv}, want: venv},
		{name: "given as name", o: Options{AnsiblePlaybook: "ansible-playbook", Environ: []string{"PATH=" + onPath}}, want: first},
		{name: "given in vain", o: Options{AnsiblePlaybook: plain}, err: plain + " is no program"},
		{name: "given name in vain", o: Options{AnsiblePlaybook: "ap"}, err: "ap was not found on PATH"},
		{name: "nowhere", o: Options{Environ: []string{"PATH=" + empty}, ProjectDir: empty},
			err: "not found on PATH nor in " + empty + "/.cache/venv/bin; install it with: python3 -m venv " + empty + "/.cache/venv && " + empty + "/.cache/venv/bin/pip install 'ansible>=11,<14'"},
		{name: "nowhere, no project", err: "not found on PATH; install it with: python3 -m venv .cache/venv"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.o.findProgram()
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	_, err := Run(context.Background(), Options{Inventory: []string{"ctl1,"}})
	var missing *NotInstalledError
	if !errors.As(err, &missing) {
		t.Errorf("Run without Ansible: %v", err)
	}
}

func TestWorkspace(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	project := t.TempDir()
	write(t, project, "galaxy.yml", "namespace: ibforge\nname: fabric\nversion: 0.1.0\n", 0o644)
	w, err := newWorkspace(Options{ProjectDir: project, ExtraVars: []string{"password=hush", "@vars.yml", "", `{"a": [1]}`}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"@" + w.dir + "/extra-vars-1.yml", "@vars.yml", "@" + w.dir + "/extra-vars-4.yml"}
	if diff := cmp.Diff(want, w.extraVars); diff != "" {
		t.Errorf("extra vars (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"extra-vars-1.yml": `{"password":"hush"}`, "extra-vars-4.yml": `{"a": [1]}`} {
		file := filepath.Join(w.dir, name)
		data, err := os.ReadFile(file)
		if err != nil || string(data) != want {
			t.Errorf("%s holds %s, %v", name, data, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := os.Stat(filepath.Join(w.collections, "ansible_collections/ibforge/fabric/galaxy.yml")); err != nil {
		t.Error(err)
	}
	if got := w.display("in " + w.link + "/roles/x:1"); got != "in "+project+"/roles/x:1" {
		t.Errorf("display: %s", got)
	}
	if err := w.remove(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(project, "galaxy.yml")); err != nil {
		t.Errorf("the checkout went with the workspace: %v", err)
	}
}

func TestWorkspaceRefusesVarsAndLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := newWorkspace(Options{ExtraVars: []string{"a=1", "hush", "b='"}})
	if err == nil || !strings.Contains(err.Error(), "number 2") || !strings.Contains(err.Error(), "number 3") {
		t.Errorf("want both faults: %v", err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOtherCollectionIsNotLinked(t *testing.T) {
	project := t.TempDir()
	write(t, project, "galaxy.yml", "namespace: acme\nname: fabric\n", 0o644)
	for _, dir := range []string{project, t.TempDir(), ""} {
		w := &workspace{dir: t.TempDir()}
		if err := w.linkCollection(dir); err != nil || w.collections != "" {
			t.Errorf("%q: %q, %v", dir, w.collections, err)
		}
	}
}

func TestCollectionsPath(t *testing.T) {
	cwd, home, other := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, cwd, "ansible.cfg", "[defaults]\n# own\ncollections_path = vendor:~/c ; both\n  :/opt/c\n[inventory]\ncollections_path = /wrong\n", 0o644)
	write(t, home, ".ansible.cfg", "[defaults]\nhome = ./ans\n", 0o644)
	named := write(t, other, "ansible.cfg", "[defaults]\ncollections_paths: /old/name\n", 0o644)
	open := t.TempDir()
	write(t, open, "ansible.cfg", "[defaults]\ncollections_path=/planted\n", 0o644)
	if err := os.Chmod(open, 0o777); err != nil { //nolint:gosec // Ansible must refuse a configuration that others may write
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		environ []string
		cwd     string
		want    string
	}{
		{"environment", []string{"ANSIBLE_COLLECTIONS_PATH=/a:/b"}, cwd, "/a:/b"},
		{"environment, old name", []string{"ANSIBLE_COLLECTIONS_PATHS=/a"}, cwd, "/a"},
		{"working directory", nil, cwd, cwd + "/vendor:~/c:/opt/c"},
		{"ANSIBLE_CONFIG", []string{"ANSIBLE_CONFIG=" + named}, cwd, "/old/name"},
		{"ANSIBLE_CONFIG is a directory", []string{"ANSIBLE_CONFIG=" + other}, cwd, "/old/name"},
		{"home, and a directory open to all", []string{"HOME=" + home}, open, home + "/ans/collections:/usr/share/ansible/collections"},
		{"ANSIBLE_HOME", []string{"HOME=" + home, "ANSIBLE_HOME=/ah"}, open, "/ah/collections:/usr/share/ansible/collections"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := collectionsPath(tt.environ, tt.cwd); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRecorder(t *testing.T) {
	want := Recap{Hosts: map[string]HostStats{"ctl1": {OK: 3}}}
	r := &Recorder{Recap: want, Err: os.ErrClosed}
	var runner Runner = r
	got, err := runner.Run(context.Background(), Options{Limit: "ctl1"})
	if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if calls := r.Calls(); len(calls) != 1 || calls[0].Limit != "ctl1" {
		t.Errorf("calls %+v", calls)
	}
}

func TestRecapEnd(t *testing.T) {
	tests := []struct {
		hosts map[string]HostStats
		code  int
		err   string
	}{
		{nil, 0, ""},
		{map[string]HostStats{"a": {OK: 2, Rescued: 1, Ignored: 1}}, 0, ""},
		{map[string]HostStats{"b": {Failed: 1}, "a": {Failed: 1}, "c": {Unreachable: 1}}, 2, "the playbook failed on a, b and could not reach c"},
		{map[string]HostStats{"c": {Unreachable: 1}}, 4, "the playbook could not reach c"},
	}
	for _, tt := range tests {
		r := Recap{Hosts: tt.hosts}
		got := ""
		if err := r.Err(); err != nil {
			got = err.Error()
		}
		if got != tt.err || r.ExitCode() != tt.code {
			t.Errorf("%v: %q, exit code %d", tt.hosts, got, r.ExitCode())
		}
	}
}
