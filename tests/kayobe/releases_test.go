package kayobe

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// matrixEnv asks for all releases, as make test-matrix does.
const matrixEnv = "IBFORGE_TEST_MATRIX"

// release is a line of tests/tools/kayobe/releases.
type release struct {
	name, kayobe, kolla string
	oldest, newest      bool
}

func releases(t *testing.T) []release {
	t.Helper()
	var out []release
	for line := range strings.Lines(readFile(t, filepath.Join(checkout(t), "tests/tools/kayobe/releases"))) {
		if f := strings.Fields(line); len(f) > 3 && f[0] != "#" {
			out = append(out, release{name: f[0], kayobe: f[1], kolla: f[2]})
		}
	}
	if len(out) == 0 {
		t.Fatal("tests/tools/kayobe/releases has no release")
	}
	out[0].oldest, out[len(out)-1].newest = true, true
	return out
}

// setup is one at a time: two would make the same environment.
var setup sync.Mutex //nolint:gochecknoglobals // the environments are the checkout's

// venv gets the release's programs, or skips the test.
func (r release) venv(t *testing.T) string {
	t.Helper()
	setup.Lock()
	defer setup.Unlock()
	out, err := call(t, os.Environ(), filepath.Join(checkout(t), "tests/tools/kayobe_setup.sh"), r.name)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		labtest.Unable(t, strings.TrimSpace(out)) // no Python for it
	}
	if err != nil {
		t.Fatalf("tests/tools/kayobe_setup.sh %s: %v\n%s", r.name, err, out)
	}
	return filepath.Join(checkout(t), ".cache/kayobe", r.name)
}

// ends are the oldest and the newest release.
func ends(r release) bool { return r.oldest || r.newest }

// newest is that release alone, for what takes minutes.
func newest(r release) bool { return r.newest }

// forReleases runs a test with the releases that are in every run, or with all
// if the matrix is asked for.
func forReleases(t *testing.T, everyRun func(release) bool, test func(*testing.T, release)) {
	t.Helper()
	labtest.NeedRoot(t, "a host")
	labtest.Need(t, lab.Tool{Name: "ssh-keygen", Package: "openssh-client"}, lab.Tool{Name: "rsync", Package: "rsync"})
	for _, r := range releases(t) {
		t.Run(r.name, func(t *testing.T) {
			labtest.Report(t, "Kayobe "+r.kayobe+", Kolla-Ansible "+r.kolla+"  "+t.Name())
			if !everyRun(r) && os.Getenv(matrixEnv) == "" {
				t.Skip("one of the releases that make test-matrix adds")
			}
			t.Parallel()
			test(t, r)
		})
	}
}

// separateTags says whether Kolla-Ansible's tags are given apart from Kayobe's:
// --kolla-tags is no more in 2026.2, where --tags is for both.
func (r release) separateTags() bool { return !strings.HasPrefix(r.kayobe, "21.") }

// tags are the arguments that limit Kolla-Ansible to these, while Kayobe's own
// part and the hooks run.
func (r release) tags(kolla string) []string {
	if r.separateTags() {
		return []string{"--kolla-tags", kolla}
	}
	return []string{"--tags", "kolla-ansible,kolla-openstack,config,ibforge," + kolla}
}

// ours are the arguments that leave of a command that runs Kolla-Ansible nothing
// but our hook. From Kayobe 20 on --tags is for Kolla-Ansible too, and is not
// taken beside --kolla-tags.
func (r release) ours() []string {
	if major, _, _ := strings.Cut(r.kayobe, "."); slices.Contains([]string{"16", "17", "18", "19"}, major) {
		return []string{"--tags", "ibforge", "--kolla-tags", "ibforge"}
	}
	return []string{"--tags", "ibforge"}
}
