package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These tests run the real ansible-playbook against this machine, with
// connections of the kind local. They change nothing outside of t.TempDir.

const inventory = "testdata/play/valid-inventory.yml"

// realOptions returns Options for the real program, or skips.
func realOptions(t *testing.T, play string) (Options, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	// The workspace and Ansible's own files: nothing may be left in the first.
	t.Setenv("TMPDIR", t.TempDir())
	environ := append(os.Environ(), "ANSIBLE_LOCAL_TEMP="+t.TempDir())
	o := Options{
		ProjectDir: filepath.Join("..", ".."),
		Playbook:   filepath.Join("testdata", "play", play),
		Inventory:  []string{inventory},
		Environ:    environ,
	}
	program, err := o.findProgram()
	if err != nil {
		if os.Getenv("IBFORGE_TEST_REQUIRE") == "1" {
			t.Fatal(err)
		}
		t.Skipf("needs Ansible: %v", err)
	}
	o.AnsiblePlaybook = program
	var out, said bytes.Buffer
	o.Stdout, o.Stderr = &out, &said
	t.Cleanup(func() {
		if left, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "ibforge-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return o, &out, &said
}

func TestRunOK(t *testing.T) {
	o, out, said := realOptions(t, "valid-ok.yml")
	recap, err := Run(context.Background(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	want := map[string]HostStats{"ctl1": {OK: 1, Skipped: 1}, "ctl2": {OK: 1, Skipped: 1}}
	if diff := cmp.Diff(want, recap.Hosts); diff != "" || recap.Duration <= 0 || said.Len() > 0 {
		t.Errorf("took %s, said %s (-want +got):\n%s", recap.Duration, said, diff)
	}
	if !strings.Contains(out.String(), "TASK Look at the machine … ok=2\n") {
		t.Errorf("progress:\n%s", out)
	}
}

func TestRunChangedThenUnchanged(t *testing.T) {
	o, out, said := realOptions(t, "valid-changed.yml")
	work := t.TempDir()
	o.ExtraVars = []string{"workdir=" + work}

	preview := o
	preview.Check, preview.Diff = true, true
	recap, err := Run(context.Background(), preview)
	if err != nil || recap.Hosts["ctl1"].Changed != 2 {
		t.Fatalf("check: %v, %+v\n%s", err, recap, said)
	}
	if !strings.Contains(out.String(), "    +blue=0x0001 : ALL=limited ;\n") {
		t.Errorf("no diff of the file:\n%s", out)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("check changed something: %v, %v", left, err)
	}

	out.Reset()
	recap, err = Run(context.Background(), o)
	if err != nil || recap.Hosts["ctl1"].Changed != 3 || !strings.Contains(out.String(), "HANDLER Reload opensm … changed=2\n") {
		t.Fatalf("first run: %v, %+v\n%s", err, recap, out)
	}
	if strings.Contains(out.String(), "+++") {
		t.Errorf("a diff that nobody asked for:\n%s", out)
	}
	recap, err = Run(context.Background(), o)
	if err != nil || recap.Hosts["ctl1"].Changed != 0 {
		t.Errorf("second run: %v, %+v", err, recap)
	}
}

func TestRunFailures(t *testing.T) {
	o, out, _ := realOptions(t, "invalid-task.yml")
	o.JSON = true
	recap, err := Run(context.Background(), o)
	var hosts *HostsError
	if !errors.As(err, &hosts) || err.Error() != "the playbook failed on ctl1, ctl2" || recap.ExitCode() != 2 {
		t.Fatalf("%v, exit code %d", err, recap.ExitCode())
	}
	want := map[string]string{
		"ctl1": "partitions.conf line 3: no PKey\ncure: give the partition a PKey between 0x0001 and 0x7fff",
		"ctl2": "non-zero return code\nrc: 4\nstderr: no port is active\nstdout: asked twice",
	}
	got := map[string]string{}
	for _, f := range recap.Failures {
		got[f.Host] += f.Message
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var printed Recap
	if err := json.Unmarshal(out.Bytes(), &printed); err != nil {
		t.Errorf("standard output is no JSON: %v\n%s", err, out)
	}
	if diff := cmp.Diff(recap.Failures, printed.Failures); diff != "" {
		t.Errorf("printed recap:\n%s", diff)
	}
}

func TestRunUnreachable(t *testing.T) {
	o, out, _ := realOptions(t, "valid-ok.yml")
	o.Inventory = []string{"testdata/play/valid-inventory-unreachable.yml"}
	recap, err := Run(context.Background(), o)
	if err == nil || err.Error() != "the playbook could not reach ctl3" || recap.ExitCode() != 4 {
		t.Fatalf("%v, exit code %d\n%s", err, recap.ExitCode(), out)
	}
	if len(recap.Failures) != 1 || !recap.Failures[0].Unreachable || !strings.Contains(recap.Failures[0].Message, "port 1") {
		t.Errorf("failures %+v", recap.Failures)
	}
	if recap.Hosts["ctl1"].OK != 1 {
		t.Errorf("the other host: %+v", recap.Hosts["ctl1"])
	}
}

func TestRunNoLog(t *testing.T) {
	for _, verbosity := range []int{0, 1} {
		o, out, said := realOptions(t, "invalid-nolog.yml")
		o.Verbosity, o.Diff = verbosity, true
		recap, err := Run(context.Background(), o)
		if err == nil || len(recap.Failures) != 1 {
			t.Fatalf("%v, %+v", err, recap.Failures)
		}
		all := out.String() + said.String() + recap.Failures[0].Message + err.Error()
		if strings.Contains(all, "topsecret") || !strings.Contains(all, "no_log") {
			t.Errorf("verbosity %d:\n%s", verbosity, all)
		}
	}
}

// TestRunGivesUp: what Ansible says before it gives up is in the error, once,
// and nowhere else.
func TestRunGivesUp(t *testing.T) {
	tests := []struct {
		name, play string
		edit       func(*Options)
		want       string
	}{
		{"syntax", "invalid-syntax.yml", nil, "conflicting action statements"},
		{"inventory", "valid-ok.yml", func(o *Options) { o.Inventory = []string{"testdata/play/invalid-inventory.yml"} }, "parse"},
		{"limit", "valid-ok.yml", func(o *Options) { o.Limit = "nobody" }, "leaves us with no hosts to target"},
		{"playbook", "nosuchplay.yml", nil, "nosuchplay.yml could not be found"},
		{"callback", "valid-ok.yml", func(o *Options) { hideCollections(o) }, "ansible-galaxy collection install ansible.posix"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, out, said := realOptions(t, tt.play)
			if tt.edit != nil {
				tt.edit(&o)
			}
			recap, err := Run(context.Background(), o)
			var ansible *AnsibleError
			if !errors.As(err, &ansible) || ansible.Status <= 0 || len(recap.Hosts) > 0 {
				t.Fatalf("%v, %+v", err, recap)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(out.String()+said.String(), tt.want) {
				t.Errorf("said twice:\n%s%s", out, said)
			}
		})
	}
}

// hideCollections leaves ansible-core alone, as if nothing else was installed.
func hideCollections(o *Options) {
	o.ProjectDir = ""
	o.Environ = append(o.Environ, "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH=false", "ANSIBLE_COLLECTIONS_PATH=/nonexistent")
}

func TestRunWithoutHosts(t *testing.T) {
	o, _, said := realOptions(t, "invalid-group.yml")
	_, err := Run(context.Background(), o)
	var none *NoHostsError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), inventory) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(said.String(), "nosuchgroup") {
		t.Errorf("Ansible's warning is lost: %s", said)
	}
}
