package portmap

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

// needRoot skips a test as labtest.NeedRoot does, which this package cannot
// import: what starts containers depends on it.
func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("IBFORGE_TEST_REQUIRE") == "1":
		t.Fatal("this test needs root, and IBFORGE_TEST_REQUIRE=1 says that it has to run")
	default:
		t.Skip("this test needs root: run the tests as root")
	}
}

// mounting gives the calling test mounts of its own, which end with it.
func mounting(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	mount(t, "none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
}

func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		t.Fatalf("mount %s on %s: %v", source, target, err)
	}
	if flags&syscall.MS_REC == 0 && flags&syscall.MS_REMOUNT == 0 {
		t.Cleanup(func() {
			if err := syscall.Unmount(target, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

func failing(t *testing.T, root string, ports ...contract.Port) (changed []string, text string) {
	t.Helper()
	changed, err := Rewrite(root, portMap(ports...), unit)
	if err == nil {
		t.Fatalf("no fault; changed %v", changed)
	}
	return changed, err.Error()
}

func TestRewriteReadOnly(t *testing.T) {
	mounting(t)
	root := t.TempDir()
	mount(t, "tmpfs", root, "tmpfs", 0, "")
	put(t, root, "/etc/right", "Listen 8080\n")
	put(t, root, file, "Listen 443\n")
	mount(t, "tmpfs", root, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	_, text := failing(t, root, at("/etc/right", http(listen, 1)), https(listen, 1))
	want := file + `: port https: read-only file system: have the file on a volume or a tmpfs, or give the image read_only = false, or the port via = "socket"; no file was changed`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// What is right already needs no place to write to.
	rewriteOK(t, root, at("/etc/right", http(listen, 1)))
}

func TestRewriteDiskFull(t *testing.T) {
	mounting(t)
	root := t.TempDir()
	put(t, root, file, "Listen 443\n")
	if err := os.Mkdir(root+"/full", 0o755); err != nil {
		t.Fatal(err)
	}
	mount(t, "tmpfs", root+"/full", "tmpfs", 0, "size=8k")
	page := "Listen 80\n" + strings.Repeat("#", 4096)
	put(t, root, "/full/conf", page)
	before := contents(t, root)
	_, text := failing(t, root, https(listen, 1), at("/full/conf", http(listen, 1)))
	if want := "/full/conf: port http: no space left on device: make room in its file system; no file was changed"; text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if diff := cmp.Diff(before, contents(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A record without room: the files wait for it.
func TestRewriteNoRoomForRecord(t *testing.T) {
	mounting(t)
	root := t.TempDir()
	mount(t, "tmpfs", root, "tmpfs", 0, "size=8k")
	put(t, root, file, "Listen 80\n")
	_, text := failing(t, root, http(listen, 1))
	if want := file + ": port http: no space left on device: make room in its file system; no file was changed"; text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if diff := cmp.Diff(map[string]string{file: "Listen 80\n"}, contents(t, root)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRewriteMountedFile(t *testing.T) {
	mounting(t)
	root := tree(t, map[string]string{"/etc/a": "Listen 80\n", "/etc/b": "Listen 80\n", "/etc/c": "Listen 80\n", "/host": "Listen 80\n"})
	if err := syscall.Mount(root+"/host", root+"/etc/b", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	p := http("", 0)
	p.Rewrites = nil
	for _, path := range []string{"/etc/a", "/etc/b", "/etc/c"} {
		p.Rewrites = append(p.Rewrites, contract.Rewrite{Path: path, Match: listen, Count: 1})
	}
	changed, text := failing(t, root, p)
	want := "/etc/b: port http: device or resource busy: it is a mount of its own, which cannot be replaced: mount its directory; the files before it are rewritten, and the next start does the others"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/etc/a"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(root + "/etc/.*new"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if err := syscall.Unmount(root+"/etc/b", 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/etc/b", "/etc/c"}, rewriteOK(t, root, p)); diff != "" {
		t.Errorf("the next start changed (-want +got):\n%s", diff)
	}
}

// The helper runs as root; a mistake in its drop-in must still be clear.
func TestRewriteAsUser(t *testing.T) {
	needRoot(t)
	root := tree(t, map[string]string{file: "Listen 80\n", "/secret": "Listen 443\n"})
	for name, mode := range map[string]os.FileMode{filepath.Dir(root): 0o755, root: 0o755, root + "/secret": 0o600} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	var texts []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // this thread alone becomes another user, and ends
		if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
			t.Error(err)
		}
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0); errno != 0 {
			t.Error(errno)
		}
		for _, p := range []contract.Port{http(listen, 1), at("/secret", https(listen, 1))} {
			_, err := Rewrite(root, portMap(p), unit)
			if err == nil {
				t.Error("no fault")
				return
			}
			texts = append(texts, err.Error())
		}
	}()
	<-done
	want := []string{
		file + ": port http: permission denied: a unit with User= needs PermissionsStartOnly=true beside it; as root, look at its mount and its SELinux label; no file was changed",
		"/secret: port https: permission denied: a unit with User= needs PermissionsStartOnly=true beside it; as root, look at its mount and its SELinux label",
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
