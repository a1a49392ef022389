package verify

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden compares with a file below testdata; UPDATE=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +got):\n%s", name, diff)
	}
}

func sample() Report {
	return Report{
		Image: "opensm", Reference: "opensm:1.0", ID: "sha256:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
		Engine:    Engine{Endpoint: "unix:///var/run/docker.sock", Version: "28.5.2", APIVersion: "1.51", CgroupVersion: "2", CgroupDriver: "systemd"},
		Additions: []string{"cgroup v2: parent ibforge-verify-0a.slice", `volume "config" has the image's own content, not /etc/ibforge/opensm of the host`},
		Checks: []Check{
			{"image.id", "the engine holds the image under its ID", Pass, ""},
			{"host.devices", "the host has the contract's devices", Skip, "not on this host, left out of the container: [/dev/infiniband]"},
			{"systemd.running", `systemd reaches "running", no unit failed`, Fail, "degraded\nopensm-ports.service: failed\n\n  status=3/NOTIMPLEMENTED"},
			{"stop", "the stop signal leads to exit 0 in the contract's time", Skip, "did not boot"},
		},
		Kept: []string{"docker rm --force --volumes ibforge-verify-opensm-0a"},
	}
}

func TestWriteText(t *testing.T) {
	aborted := Report{Image: "opensm", ID: "sha256:2f", Aborted: "no container engine at unix:///var/run/docker.sock"}
	for name, tc := range map[string]struct {
		report Report
		color  bool
	}{"report.txt": {sample(), false}, "report-color.txt": {sample(), true}, "report-aborted.txt": {aborted, false}} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := tc.report.WriteText(&b, tc.color); err != nil {
				t.Fatal(err)
			}
			golden(t, name, b.String())
		})
	}
}

func TestReportJSON(t *testing.T) {
	data, err := json.MarshalIndent(sample(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", string(data)+"\n")
}

func TestOK(t *testing.T) {
	passed := Check{Status: Pass}
	for _, tc := range []struct {
		name   string
		report Report
		want   bool
	}{
		{"all passed", Report{Checks: []Check{passed}}, true},
		{"one skipped", Report{Checks: []Check{passed, {Status: Skip}}}, true},
		{"one failed", Report{Checks: []Check{passed, {Status: Fail}}}, false},
		{"nothing checked", Report{}, false},
		{"aborted", Report{Checks: []Check{passed}, Aborted: "cancelled"}, false},
	} {
		if got := tc.report.OK(); got != tc.want {
			t.Errorf("%s: OK() = %t, want %t", tc.name, got, tc.want)
		}
	}
}

func TestLegible(t *testing.T) {
	long := strings.Repeat("line\n", 50) + "reason"
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "● a.service\n\tfailed", "● a.service\n\tfailed"},
		{"colors", "\x1b[0;1;31m●\x1b[0m a.service", "● a.service"},
		{"window title", "\x1b]0;gone\x07x", "\uFFFD]0;gone\uFFFDx"},
		{"carriage returns", "a\r\nb", "a\nb"},
		{"long", long, "(11 lines left out)\n" + strings.Repeat("line\n", 39) + "reason"},
	} {
		if diff := cmp.Diff(tc.want, legible(tc.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}
