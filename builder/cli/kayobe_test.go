package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/engine"
)

// A configuration on a file system that is read-only is left alone as a whole.
func TestKayobeInstallReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "kayobe")
	if err := os.MkdirAll(filepath.Join(dir, "inventory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := readOnly(t, dir); err != nil {
		t.Skipf("nothing can be made read-only here: %v", err)
	}
	var out, told bytes.Buffer
	code := Main(t.Context(), []string{"kayobe", "install", "--config-path", dir}, newApp(engine.NewRecorder(), &out, &told))
	if code != ExitFailed || out.Len() > 0 {
		t.Errorf("exit code %d, and it says %q", code, out.String())
	}
	for _, want := range []string{dir + " cannot be written to: ", filepath.Join(dir, "inventory") + " cannot be written to: ", "nothing was changed"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("got %s\nwant %s", told.String(), want)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	// To look is no fault.
	if code := Main(t.Context(), []string{"kayobe", "install", "--dry-run", "--config-path", dir}, newApp(engine.NewRecorder(), &out, &told)); code != ExitOK {
		t.Errorf("a dry run ends with %d: %s", code, told.String())
	}
}

// Two installs at once would each decide from what the other one replaces.
func TestKayobeInstallAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etc", "kayobe")
	if err := os.MkdirAll(filepath.Join(dir, "inventory"), 0o755); err != nil {
		t.Fatal(err)
	}
	other, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(other.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var out, told bytes.Buffer
	install := func(flags ...string) int {
		return Main(t.Context(), append([]string{"kayobe", "install", "--config-path", dir}, flags...), newApp(engine.NewRecorder(), &out, &told))
	}
	if code := install(); code != ExitFailed || !strings.Contains(told.String(), dir+": another ibforge is changing this configuration") {
		t.Errorf("exit code %d: %s", code, told.String())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	if code := install("--dry-run"); code != ExitOK {
		t.Errorf("to look needs no lock, and yet: %d, %s", code, told.String())
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if code := install(); code != ExitOK {
		t.Errorf("when the other one has ended: exit code %d: %s", code, told.String())
	}
}

// readOnly makes a directory read-only: for root, whom modes do not bind, by a
// mount.
func readOnly(t *testing.T, dir string) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return errors.Join(os.Chmod(filepath.Join(dir, "inventory"), 0o555), os.Chmod(dir, 0o555)) //nolint:gosec // a directory needs x
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}
