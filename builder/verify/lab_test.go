package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// requireLab skips, with the reason, where no private engine can be started;
// IBFORGE_TEST_REQUIRE=1 makes that a failure, for CI.
func requireLab(t *testing.T) {
	t.Helper()
	var lacks []string
	if os.Geteuid() != 0 {
		lacks = append(lacks, "root")
	}
	for _, program := range []string{"dockerd", "runc", "mmdebstrap", "unshare"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks = append(lacks, "the program "+program)
		}
	}
	if len(lacks) == 0 {
		return
	}
	reason := "a private container engine needs " + strings.Join(lacks, ", ")
	if os.Getenv("IBFORGE_TEST_REQUIRE") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// startEngine starts a dockerd of the test's own and gives its endpoint. On
// cgroup2 it lives in a mount namespace with the unified tree, which a machine
// of hybrid cgroups has as well.
func startEngine(t *testing.T, cgroup2 bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ibforge-engine-") //nolint:usetesting // t.TempDir's name can be too long for a unix socket (108 bytes)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "unix://" + dir + "/sock"
	args := []string{"dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none",
		"--data-root", dir + "/root", "--exec-root", dir + "/exec", "--pidfile", dir + "/pid", "--host", endpoint}
	if cgroup2 {
		enter := `while umount -R /sys/fs/cgroup 2>/dev/null; do :; done; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$@"`
		args = append([]string{"unshare", "-m", "--propagation", "private", "sh", "-ec", enter, "sh"}, args...)
	}
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	// It outlives the test's context, which ends before the clean-up.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("stopping dockerd: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("dockerd: %v", err)
		}
		if err := log.Close(); err != nil {
			t.Errorf("closing dockerd's log: %v", err)
		}
		// dockerd leaves the mount of its network namespace behind.
		if err := syscall.Unmount(dir+"/exec/netns/default", syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
			t.Errorf("unmounting the engine's network namespace: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the engine's directory: %v", err)
		}
	})
	api := newClient(t, endpoint)
	for range 300 {
		if _, err := api.Ping(t.Context()); err == nil {
			return endpoint
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(dir + "/log")
	t.Fatalf("dockerd does not answer after 30 s; its log:\n%s", text)
	return ""
}

func newClient(t *testing.T, endpoint string) *client.Client {
	t.Helper()
	api, err := client.NewClientWithOpts(client.WithHost(endpoint), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	return api
}

const suite = "bookworm"

// baseArgs make a clean systemd image. logind is masked: under a read-only
// root it fails for want of its StateDirectory /var/lib/systemd/linger.
func baseArgs() []string {
	return []string{
		"--variant=essential", "--include=systemd,systemd-sysv,dbus",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
		`--customize-hook=rm -rf "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/cache/ldconfig/aux-cache "$1"/var/lib/dpkg/*-old "$1"/var/cache/debconf/*-old "$1"/var/log/apt "$1"/var/log/*.log; : >"$1"/etc/machine-id`,
		`--customize-hook=ln -s /dev/null "$1"/etc/systemd/system/systemd-logind.service`,
	}
}

// layer is a file system as tar.
type layer struct {
	file, diffID string
	// sent tells that the engine has it, and only looks at its name from then on.
	sent bool
}

// newLayer gives the base for the archives of one engine.
func newLayer(t *testing.T) *layer {
	t.Helper()
	l := &layer{file: baseTar(t)}
	f, err := os.Open(l.file)
	must(t, err)
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	must(t, err)
	l.diffID = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return l
}

// baseTar gives the tar of a Debian with systemd, made once per machine and recipe.
func baseTar(t *testing.T) string {
	t.Helper()
	recipe := sha256.Sum256([]byte(strings.Join(append(baseArgs(), suite), "\x00")))
	dir := filepath.Join(os.TempDir(), "ibforge-test-cache")
	file := filepath.Join(dir, fmt.Sprintf("verify-%s-%x.tar", suite, recipe[:6]))
	if _, err := os.Stat(file); err == nil {
		return file
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	part := file + "." + strconv.Itoa(os.Getpid()) + ".tar" // the name's end chooses mmdebstrap's format
	defer func() {
		if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}()
	cmd := exec.CommandContext(t.Context(), "mmdebstrap", append(baseArgs(), suite, part, "http://deb.debian.org/debian")...)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, out)
	}
	if err := os.Rename(part, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
