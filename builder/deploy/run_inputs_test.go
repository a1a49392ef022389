package deploy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRunExtraVars compares what arrives through our files with what arrives
// when ansible-playbook gets the same arguments itself.
func TestRunExtraVars(t *testing.T) {
	o, _, said := realOptions(t, "valid-vars.yml")
	vars := []string{
		`a="two words" b='x=y' c=plain`, `d={{ c + "!" }} e="say \"hi\""`, `f=C:\new g=\x41\u00e9\q h=`,
		`{"i": [1, {"j": true}], "k": "x"}`, `{l: 0x0011, m: 'y: z'}`, `k=later`, "n=1\no=2", `p=http://x/?q=1`, `q=it\'s`,
	}
	keys := `keys=["a","b","c","d","e","f","g","h","i","k","l","m","n","o","p","q"]`
	keys = strings.Replace(keys, `keys=`, `{"keys":`, 1) + "}"
	ours, theirs := filepath.Join(t.TempDir(), "ours"), filepath.Join(t.TempDir(), "theirs")

	o.ExtraVars = append([]string{keys, "dest=" + ours}, vars...)
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	w := &workspace{dir: t.TempDir()}
	w.extraVars = append([]string{keys, "dest=" + theirs}, vars...)
	if _, err := launch(context.Background(), o, w, newFollower(o, w), newCommand(o.AnsiblePlaybook, o, w.extraVars)); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	got, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" || !strings.Contains(string(got), "plain!") {
		t.Errorf("%s (-Ansible +ours):\n%s", got, diff)
	}
}

func TestRunCollectionFromCheckout(t *testing.T) {
	o, out, said := realOptions(t, "")
	o.ProjectDir = t.TempDir()
	write(t, o.ProjectDir, "galaxy.yml", "namespace: ibforge\nname: fabric\nversion: 0.1.0\n", 0o644)
	write(t, o.ProjectDir, "playbooks/deploy.yml", "- name: Deploy\n  hosts: ctl1\n  gather_facts: false\n  roles: [ibforge.fabric.ib_x]\n", 0o644)
	write(t, o.ProjectDir, "roles/ib_x/tasks/main.yml", "- name: Stop here\n  ansible.builtin.fail:\n    msg: on purpose\n", 0o644)
	o.Playbook = ""
	recap, err := Run(context.Background(), o)
	if err == nil || len(recap.Failures) != 1 {
		t.Fatalf("%v\n%s%s", err, out, said)
	}
	got := recap.Failures[0]
	want := Failure{
		Host: "ctl1", Play: "Deploy", Task: "ibforge.fabric.ib_x : Stop here", Message: "on purpose",
		Path: filepath.Join(o.ProjectDir, "roles/ib_x/tasks/main.yml"), Line: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRunCancel ends a run while a task runs, as Ctrl-C does.
func TestRunCancel(t *testing.T) {
	o, out, said := realOptions(t, "valid-sleep.yml")
	work := t.TempDir()
	o.ExtraVars = []string{"workdir=" + work, "password=hush"}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stopped := errors.New("the operator stopped it")
	seen := make(chan string, 1)
	go func() {
		// Poll for the mark of the task; the test's own timeout is the limit.
		for {
			if _, err := os.Stat(filepath.Join(work, "sleeping")); err == nil {
				seen <- argvOfSession(t)
				cancel(stopped)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	recap, err := Run(ctx, o)
	if !errors.Is(err, stopped) || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("%v, %+v\n%s%s", err, recap, out, said)
	}
	if argv := <-seen; strings.Contains(argv, "hush") || !strings.Contains(argv, "extra-vars-2.yml") {
		t.Errorf("the command lines while it ran:\n%s", argv)
	}
	data, err := os.ReadFile(filepath.Join(work, "sleeping"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "never") {
		t.Errorf("it went on:\n%s", out)
	}
	// A process that is gone has no directory there (proc(5)).
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(data))); err == nil {
		t.Errorf("the task's process %s is left", data)
	}
}

// argvOfSession returns the command lines of ansible-playbook and its workers
// that this test has started.
func argvOfSession(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	var all []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil && bytes.Contains(data, []byte("valid-sleep.yml")) && bytes.Contains(data, []byte(os.Getenv("TMPDIR"))) {
			all = append(all, string(bytes.ReplaceAll(data, []byte{0}, []byte{' '})))
		}
	}
	return strings.Join(all, "\n")
}

func TestRunCanceledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	program := write(t, t.TempDir(), "ansible-playbook", "#!/bin/sh\necho started >&2\n", 0o755)
	var said bytes.Buffer
	_, err := Run(ctx, Options{AnsiblePlaybook: program, Inventory: []string{"a,"}, Stderr: &said})
	if !errors.Is(err, context.Canceled) || said.Len() > 0 {
		t.Errorf("%v, %s", err, &said)
	}
}
