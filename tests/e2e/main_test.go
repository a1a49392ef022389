// Package e2e tries ibforge as its users do, with nothing in between: the real
// store and its working containers, a real container engine, real Ansible and
// a real OpenSM on a simulated fabric.
//
// It needs root and what tests/tools/setup.sh installs. Where something is
// missing a test is skipped with that reason, or fails if IBFORGE_TEST_REQUIRE
// is set, as it is in make test.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/program"
)

// root is the checkout.
const root = "../.."

func TestMain(m *testing.M) { program.Main(cleaned{m}) }

// machine is held by the one test that uses what there is once on this machine:
// ports of its network, and cgroups by the names of services.
var machine sync.Mutex //nolint:gochecknoglobals // it is one machine

// onMachine runs the test beside those that have hosts or names of their own,
// and after the others that have not.
func onMachine(t *testing.T) {
	t.Helper()
	t.Parallel()
	machine.Lock()
	t.Cleanup(machine.Unlock)
}

// cleaned removes what the tests share once they are done.
type cleaned struct{ m *testing.M }

func (c cleaned) Run() int {
	code := c.m.Run()
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, "removing the shared store:", err)
			code = max(code, 1)
		}
	}
	return code
}

// need skips or fails without root and the programs that building takes.
func need(t *testing.T) {
	t.Helper()
	labtest.NeedRoot(t, "working containers are made as root")
	labtest.Need(t, lab.Tool{Name: "mmdebstrap", Package: "mmdebstrap"}, lab.Tool{Name: "runc", Package: "runc"})
}

// shared is a store in which the project's images have been built once.
var shared struct { //nolint:gochecknoglobals // the tests of one process share it, and only TestMain's end can remove it
	once sync.Once
	dir  string
	err  error
}

// sharedStore gives its directory. Tests may add to it.
func sharedStore(t *testing.T) string {
	t.Helper()
	need(t)
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "ibforge-e2e-"); shared.err != nil { //nolint:usetesting // it outlives the test that comes first; cleaned removes it
			return
		}
		r := run(t, nil, "-C", root, "--store", shared.dir, "build", "opensm", "--images-file", filepath.Join(shared.dir, "ibforge-images.yml"))
		if r.code != 0 {
			shared.err = errors.New(r.String())
		}
	})
	if shared.err != nil {
		t.Fatalf("building the project's images: %v", shared.err)
	}
	return shared.dir
}

// result of one call of ibforge.
type result struct {
	args           []string
	stdout, stderr string
	code           int
}

func (r result) String() string {
	return fmt.Sprintf("ibforge %q: exit %d\nstdout:\n%s\nstderr:\n%s", r.args, r.code, r.stdout, r.stderr)
}

// command prepares a call of ibforge, which does not outlive the test.
func command(t *testing.T, env []string, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "ibforge", args...)
	cmd.WaitDelay = 10 * time.Second // a killed build's children hold the pipes
	cmd.Env = append(append(os.Environ(), "IBFORGE_LIBEXEC="+libexec(t)), env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, &stdout, &stderr
}

func run(t *testing.T, env []string, args ...string) result {
	t.Helper()
	cmd, stdout, stderr := command(t, env, args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("ibforge %q: %v", args, err)
	}
	return result{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok runs ibforge and expects exit code 0.
func ok(t *testing.T, args ...string) result {
	t.Helper()
	r := run(t, nil, args...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r
}
