package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// cell is one combination of the matrix: what runs the services on what host.
type cell struct {
	engine, suite string
	v2            bool
	services      []string
}

func (c cell) String() string {
	version := "v1"
	if c.v2 {
		version = "v2"
	}
	return strings.Join([]string{c.engine, c.suite, "cgroup-" + version, strings.Join(c.services, "+")}, "/")
}

// cells are docker 20.10 and podman 4.3 of Debian 12 on cgroup version 1, and
// docker 26 and podman 5.4, which has Quadlet, of Debian 13 on version 2.
// OpenSM and UFM are not meant for one host, UFM and NEO are.
func cells() []cell {
	var out []cell
	for _, services := range [][]string{{"opensm"}, {"ufm", "neo"}} {
		for _, engine := range []string{"docker", "podman"} {
			out = append(out, cell{engine, lab.Bookworm, false, services}, cell{engine, lab.Trixie, true, services})
		}
	}
	return out
}

// matrixEnv asks for all cells, as make test-matrix does, and for what does not
// belong into every run.
const matrixEnv = "IBFORGE_TEST_MATRIX"

// inEveryRun says whether a cell is one of the four in which each engine,
// version and service occurs twice: the others take as long again.
func (c cell) inEveryRun() bool {
	opensm := slices.Contains(c.services, "opensm")
	return (c.engine == "docker") == (opensm != c.v2)
}

// Every verb on every engine, cgroup version and service, on a host that has
// systemd and nothing of ours before and afterwards.
func TestMatrix(t *testing.T) { //nolint:tparallel // its cells do, but for those that are left out
	t.Parallel()
	variants := buildVariants(t)
	for _, c := range cells() {
		t.Run(c.String(), func(t *testing.T) {
			labtest.Report(t, "every verb  "+c.String())
			if !c.inEveryRun() && os.Getenv(matrixEnv) == "" {
				t.Skip("one of the cells that make test-matrix adds")
			}
			t.Parallel()
			newStory(t, c, variants).tell()
		})
	}
}

// story is what happens in one cell.
type story struct {
	t        *testing.T
	cell     cell
	host     *lab.Host
	variants variants
	dir      string
	vars     map[string]any
}

func newStory(t *testing.T, c cell, v variants) *story {
	t.Helper()
	dir := labtest.Dir(t)
	s := &story{t: t, cell: c, variants: v, dir: dir}
	s.host = labtest.Host(t, lab.HostOptions{Suite: c.suite, CgroupV2: c.v2})
	lives := site.Site{Dir: dir, Fabric: labtest.Fabric(t, lab.FabricOptions{Network: s.host.Network()})}
	var err error
	if s.vars, err = lives.OnHost(s.host); err != nil {
		t.Fatal(err)
	}
	s.vars["container_engine"] = c.engine
	s.vars["ib_opensm_destroy_data"], s.vars["ib_ufm_destroy_data"], s.vars["ib_neo_destroy_data"] = true, true, true
	return s
}

// run calls the playbook of a verb with one of the variants of the images.
func (s *story) run(images, verb string, args ...string) (result, deploy.Recap) {
	s.t.Helper()
	inventory := map[string]any{"all": map[string]any{"vars": s.vars}}
	for _, service := range s.cell.services {
		inventory["ib_"+service] = map[string]any{"hosts": map[string]any{s.host.Name(): nil}}
	}
	raw, err := json.Marshal(inventory)
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.dir, "inventory.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
	r := run(s.t, nil, append([]string{"-C", root, "--json", "deploy", "-i", file, "--images-file", s.variants[images], "--action", verb}, args...)...)
	var recap deploy.Recap
	if r.stdout != "" {
		if err := json.Unmarshal([]byte(r.stdout), &recap); err != nil {
			s.t.Fatalf("%v\n%v", err, r)
		}
	}
	return r, recap
}

// changes expects success and gives the number of changes.
func (s *story) changes(images, verb string, args ...string) int {
	s.t.Helper()
	r, recap := s.run(images, verb, args...)
	if r.code != 0 {
		s.t.Fatalf("%s with images %s: %v\n%s", verb, images, r, s.journals())
	}
	return recap.Hosts[s.host.Name()].Changed
}

// journals are the ends of what the services' journals have.
func (s *story) journals() string {
	var all strings.Builder
	for _, service := range s.cell.services {
		out, err := s.host.Exec(s.t.Context(), s.cell.engine, "exec", "ib_"+service, "journalctl", "--boot", "--no-pager", "--lines=60")
		fmt.Fprintf(&all, "journal of %s: %v\n%s\n", service, err, out)
	}
	return all.String()
}

// wants expects a number of changes: none, or some.
func (s *story) wants(some bool, images, verb string, args ...string) {
	s.t.Helper()
	if n := s.changes(images, verb, args...); (n > 0) != some {
		s.t.Errorf("%s %v changed %d things", verb, args, n)
	}
}

// fine waits until check finds nothing.
func (s *story) fine(images, after string) {
	s.t.Helper()
	var last result
	for range 10 {
		if last, _ = s.run(images, "check"); last.code == 0 {
			return
		}
	}
	s.t.Fatalf("after %s: %v", after, last)
}

func (s *story) state() lab.HostState {
	s.t.Helper()
	state, err := s.host.State(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

func (s *story) tell() {
	s.t.Helper()
	before := s.state()
	s.wants(false, "a", "precheck")
	s.wants(true, "a", "deploy", "--check", "--diff")
	if diff := before.Diff(s.state()); len(diff) > 0 {
		s.t.Errorf("precheck and --check changed the host:\n%s", strings.Join(diff, "\n"))
	}
	s.wants(true, "a", "deploy")
	s.wants(false, "a", "deploy")
	s.wants(false, "a", "deploy", "--check")
	s.wants(false, "a", "reconfigure")
	s.difference()
	s.upgrade()

	s.wants(true, "b", "stop")
	s.wants(false, "b", "stop")
	s.wants(true, "b", "start")
	s.fine("b", "start")
	if s.cell.engine == "docker" {
		s.exec("systemctl", "restart", "docker")
		s.fine("b", "a restart of docker")
	}
	if err := s.host.Reboot(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.fine("b", "a reboot")
	s.wants(false, "b", "deploy")
	s.restore()
	s.destroy(before)
}

// difference changes a setting of each service.
func (s *story) difference() {
	s.t.Helper()
	maps.Copy(s.vars, map[string]any{
		"ib_opensm_sweep_interval": 7, "ib_ufm_site_name": "matrix",
		"ib_neo_syslog_severity": "ERROR", "ib_neo_syslog_destinations": []any{map[string]any{"address": "192.0.2.5"}},
	})
	s.wants(true, "a", "reconfigure", "--check")
	s.wants(true, "a", "reconfigure")
	s.wants(false, "a", "reconfigure", "--check")
	s.fine("a", "reconfigure")
}

// upgrade goes to another image, and to one that does not become healthy.
func (s *story) upgrade() {
	s.t.Helper()
	s.wants(true, "b", "pull")
	s.fine("a", "pull")
	s.wants(true, "b", "upgrade")
	s.wants(false, "b", "upgrade")
	s.fine("b", "upgrade")
	r, recap := s.run("broken", "upgrade")
	if r.code == 0 || len(recap.Failures) == 0 || !strings.Contains(recap.Failures[len(recap.Failures)-1].Message, "was taken back") {
		s.t.Errorf("an upgrade to a broken image: %v", r)
	}
	s.fine("b", "an upgrade that was taken back")
}

// restore brings back what the data was.
func (s *story) restore() {
	s.t.Helper()
	for _, service := range s.cell.services {
		s.vars["ib_"+service+"_backup_dir"] = filepath.Join(s.dir, "backup")
	}
	s.changes("b", "backup")
	s.fine("b", "backup")
}

// destroy leaves the host as it was, but for the images.
func (s *story) destroy(before lab.HostState) {
	s.t.Helper()
	if r, recap := s.run("b", "destroy"); r.code == 0 || len(recap.Failures) != 1 || !strings.Contains(recap.Failures[0].Message, "destroy_confirm=true") {
		s.t.Errorf("destroy without a word: %v", r)
	}
	for _, service := range s.cell.services {
		s.vars["ib_"+service+"_destroy_confirm"] = true
	}
	s.wants(true, "b", "destroy")
	s.wants(false, "b", "destroy")
	// The engine keeps the images, and the cgroup that it made for its first
	// container. /usr/local/libexec is the file hierarchy's; Debian 13 brings it.
	harmless := []string{"+ cgroup /docker ", "+ cgroup /machine.slice ", "+ file /usr/local/libexec drwxr-xr-x 0:0"}
	diff := slices.DeleteFunc(before.Diff(s.state()), func(line string) bool {
		return strings.HasPrefix(line, "+ "+s.cell.engine+" image ") || slices.Contains(harmless, line)
	})
	if len(diff) > 0 {
		s.t.Errorf("destroy left, or took:\n%s", strings.Join(diff, "\n"))
	}
}

func (s *story) exec(argv ...string) string {
	s.t.Helper()
	out, err := s.host.Exec(s.t.Context(), argv...)
	if err != nil {
		s.t.Fatal(fmt.Errorf("%q: %w", argv, err))
	}
	return string(out)
}
