// Package kayobe tries the overlay with the real Kayobe and the real
// Kolla-Ansible, as their releases are, on hosts of the lab.
//
// It needs root, what tests/tools/setup.sh installs, and what
// tests/tools/kayobe_setup.sh gets, which it calls. Where something is missing a
// test is skipped with that reason, or fails if IBFORGE_TEST_REQUIRE is set.
package kayobe

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
	"github.com/ibforge/ibforge/tests/program"
)

func TestMain(m *testing.M) { program.Main(m) }

// checkout is the absolute path of the project.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// call runs a program to its end and gives what it printed; the error has the
// exit status. It does not outlive the test.
func call(t *testing.T, env []string, argv ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.WaitDelay = 10 * time.Second
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out
	err := cmd.Run()
	return out.String(), err
}

// ibforge calls this project's program.
func ibforge(t *testing.T, args ...string) string {
	t.Helper()
	out, err := call(t, append(os.Environ(), "IBFORGE_LIBEXEC="+filepath.Join(checkout(t), "bin")), append([]string{"ibforge"}, args...)...)
	if err != nil {
		t.Fatalf("ibforge %q: %v\n%s", args, err, out)
	}
	return out
}

// built is held by who builds.
var built struct { //nolint:gochecknoglobals // one store, and one build at a time
	mu sync.Mutex
}

// store is the checkout's: building takes a minute, and steps that are known
// are kept.
func store(t *testing.T) string {
	t.Helper()
	return filepath.Join(checkout(t), ".cache/store")
}

// buildImages builds images of a project into the checkout's store and pushes
// them into archives beside the images file.
func buildImages(t *testing.T, project, file string, names ...string) {
	t.Helper()
	labtest.NeedRoot(t, "working containers are made as root")
	labtest.Need(t, lab.Tool{Name: "mmdebstrap", Package: "mmdebstrap"}, lab.Tool{Name: "runc", Package: "runc"})
	built.mu.Lock()
	defer built.mu.Unlock()
	dir := filepath.Dir(file)
	payloads := t.TempDir()
	flags, err := site.Payloads(filepath.Join(checkout(t), "tests/standins"), payloads)
	if err != nil {
		t.Fatal(err)
	}
	common := []string{"-q", "-C", project, "--store", store(t)}
	ibforge(t, append(append(common, "build", "--images-file", file), append(flags, names...)...)...)
	for _, name := range names {
		archive := filepath.Join(dir, name+".tar")
		if err := os.RemoveAll(archive); err != nil { // nothing is added to one that is there
			t.Fatal(err)
		}
		ibforge(t, append(common, "push", name, "docker-archive:"+archive, "--images-file", file)...)
	}
}

// readFile gives a file's text.
func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write makes a file and the directories above it.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// lines are the last ones of a long output.
func lastLines(text string, most int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-most):], "\n")
}
