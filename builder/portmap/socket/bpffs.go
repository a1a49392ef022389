package socket

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mountBPF mounts a BPF file system where hosts have it, unless it is there or
// the pins go elsewhere. systemd does the same at boot.
func mountBPF(root string) error {
	const point = "/sys/fs/bpf"
	if root != point && !strings.HasPrefix(root, point+"/") {
		return nil
	}
	// Whoever comes second would hide the pins of the first.
	lock, err := flock(point)
	if err != nil {
		return fmt.Errorf("%w: %w; cure: a kernel with CONFIG_BPF_SYSCALL, and sysfs at /sys", ErrPinRoot, err)
	}
	defer lock.Close()
	kind, err := fsType(point)
	if err != nil || kind == unix.BPF_FS_MAGIC {
		return err
	}
	if err := unix.Mount("bpf", point, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("%w: mounting a BPF file system at %s: %w", ErrPinRoot, point, err)
	}
	return nil
}

// flock waits until no other process has the directory locked. The lock goes
// with the process, however that ends.
func flock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EINTR) {
			_ = f.Close() // opened for reading
			return nil, fmt.Errorf("locking %s: %w", dir, err)
		}
	}
}
