package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibforge/ibforge/builder/engine"
)

func inspect(t *testing.T, store, name string) engine.Image {
	t.Helper()
	var img engine.Image
	if err := json.Unmarshal([]byte(ok(t, "--store", store, "--json", "inspect", name).stdout), &img); err != nil {
		t.Fatal(err)
	}
	return img
}

// The same descriptions give the same bytes, in a store that has never seen
// the other.
func TestReproducible(t *testing.T) {
	t.Parallel()
	first := sharedStore(t)
	second := t.TempDir()
	ok(t, "-C", root, "--store", second, "build", "opensm", "--images-file", filepath.Join(second, "ibforge-images.yml"))
	for _, name := range []string{"systemd-base", "opensm"} {
		a, b := inspect(t, first, name), inspect(t, second, name)
		for i := range a.Layers {
			if a.Layers[i] != b.Layers[i] {
				t.Errorf("%s: layer %d differs:\n%+v\n%+v", name, i, a.Layers[i], b.Layers[i])
			}
		}
		if a.ID != b.ID || a.Digest != b.Digest {
			t.Errorf("%s: ID %s and %s, digest %s and %s", name, a.ID, b.ID, a.Digest, b.Digest)
		}
	}
}

func TestNothingIsDoneTwice(t *testing.T) {
	t.Parallel()
	store := sharedStore(t)
	r := ok(t, "-C", root, "--store", store, "build", "opensm", "--images-file", filepath.Join(t.TempDir(), "images.yml"))
	// Other tests build in this store too.
	steps := slices.DeleteFunc(strings.Split(strings.TrimSpace(r.stderr), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "waiting for another build in this store (process ")
	})
	if len(steps) != 8 {
		t.Errorf("%d steps, want 8:\n%s", len(steps), r.stderr)
	}
	for _, line := range steps {
		if !strings.HasSuffix(line, " cached") {
			t.Errorf("not cached: %s", line)
		}
	}
	if r := ok(t, "-C", root, "--store", store, "plan", "opensm"); !strings.Contains(r.stdout, "\n0 steps to do\n") {
		t.Errorf("plan: %s", r.stdout)
	}
}

func TestPlanWritesNothing(t *testing.T) {
	t.Parallel()
	need(t)
	store := filepath.Join(t.TempDir(), "never-made")
	ok(t, "-C", root, "--store", store, "plan")
	if _, err := os.Stat(store); !os.IsNotExist(err) {
		t.Errorf("plan has made %s: %v", store, err)
	}
}

// slowProject describes an image on the shared store's base that takes its time.
func slowProject(t *testing.T, seconds string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "images"), os.DirFS(filepath.Join(root, "images"))); err != nil {
		t.Fatal(err)
	}
	text := `image "slow" {
  description = "takes its time"
  from        = image.systemd-base
  run "sleep" { command = ["sleep", "` + seconds + `"] }
}
`
	if err := os.MkdirAll(filepath.Join(dir, "images/slow"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "images/slow/image.ibforge.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// waitFor polls, since what is waited for happens in another process.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	// Long enough for a machine that runs several of these tests at once; ever
	// longer pauses, because some of what is asked for takes a process.
	pause := 20 * time.Millisecond
	for deadline := time.Now().Add(5 * time.Minute); !done(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting for %s", what)
		}
		pause = min(2*pause, time.Second)
	}
}

// sleeping finds the slow image's command on the host.
func sleeping(seconds string) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err == nil && strings.HasSuffix(string(raw), "sleep\x00"+seconds+"\x00") {
			pid := 0
			for _, c := range filepath.Base(filepath.Dir(name)) {
				pid = pid*10 + int(c-'0')
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// A build that is killed in the middle of a step leaves nothing that keeps the
// next one from working, and that one removes what is left.
func TestKilledBuild(t *testing.T) {
	t.Parallel()
	store := sharedStore(t)
	const seconds = "86411"
	cmd, _, stderr := command(t, nil, "-C", slowProject(t, seconds), "--store", store, "build", "slow")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the step to run: "+stderr.String(), func() bool { return len(sleeping(seconds)) > 0 })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed: that is its error

	ok(t, "-C", slowProject(t, "0"), "--store", store, "build", "slow")
	waitFor(t, "the killed build's command to end", func() bool { return len(sleeping(seconds)) == 0 })
	if mounts := mountsBelow(t, store); len(mounts) > 0 {
		t.Errorf("still mounted: %q", mounts)
	}
}

// Ctrl-C ends the step's command too, and says that it did.
func TestInterruptedBuild(t *testing.T) {
	t.Parallel()
	store := sharedStore(t)
	const seconds = "86412"
	cmd, _, stderr := command(t, nil, "-C", slowProject(t, seconds), "--store", store, "build", "slow")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the step to run", func() bool { return len(sleeping(seconds)) > 0 })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code is looked at next
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit %d, stderr: %s", code, stderr)
	}
	if left := sleeping(seconds); len(left) > 0 {
		t.Errorf("the step's command still runs: %d", left)
	}
	if mounts := mountsBelow(t, store); len(mounts) > 0 {
		t.Errorf("still mounted: %q", mounts)
	}
}

// A second build waits for the first and says so.
func TestStoreIsLocked(t *testing.T) {
	t.Parallel()
	store := sharedStore(t)
	first, _, _ := command(t, nil, "-C", slowProject(t, "3"), "--store", store, "build", "slow")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first build's step", func() bool { return len(sleeping("3")) > 0 })
	r := ok(t, "-C", root, "--store", store, "build", "opensm", "--images-file", filepath.Join(t.TempDir(), "images.yml"))
	if !strings.Contains(r.stderr, "waiting for another build in this store (process ") {
		t.Errorf("stderr does not say that it waits:\n%s", r.stderr)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("the first build: %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	t.Parallel()
	need(t)
	store := t.TempDir()
	if err := syscall.Mount("tmpfs", store, "tmpfs", 0, "size=48m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(store, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := run(t, nil, "-C", root, "--store", store, "build", "--images-file", filepath.Join(t.TempDir(), "images.yml"))
	if r.code != 1 || !strings.Contains(r.stderr, "the file system of the store "+store+" is full") {
		t.Error(r)
	}
}

func mountsBelow(t *testing.T, dir string) []string {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, line := range strings.Split(string(raw), "\n") {
		f := strings.Fields(line)
		// The overlay driver mounts its own home to make it private.
		if len(f) > 4 && strings.HasPrefix(f[4], dir+"/") && f[4] != filepath.Join(dir, "storage/overlay") {
			out = append(out, f[4])
		}
	}
	return out
}
