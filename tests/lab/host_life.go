package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sigReboot is SIGRTMIN+5, by which systemd as PID 1 reboots (systemd(1),
// SIGNALS); glibc keeps the first two of the kernel's real-time signals.
const sigReboot = syscall.Signal(34 + 5)

// errHostDown is what a host that does not run answers.
var errHostDown = errors.New("the host is down")

// Start boots a host that [Host.Crash] or a poweroff within it has left down,
// and returns when systemd has started what is enabled. Units that failed are
// no error.
func (h *Host) Start(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.boot(ctx)
}

// boot is Start for one who holds h.mu.
func (h *Host) boot(ctx context.Context) error {
	if h.proc != nil && !h.proc.ended() {
		return fmt.Errorf("lab: host %s runs already", h.name)
	}
	if err := h.clear(); err != nil {
		return err
	}
	sh, err := findTool("sh")
	if err != nil {
		return err
	}
	h.proc, err = startProcess("host "+h.name, command{
		argv: []string{sh, filepath.Join(h.dir, "boot"), h.dir}, dir: h.dir, log: h.opts.Log,
		// unshare --kill-child hands it on to the host's PID 1.
		deathSignal: syscall.SIGKILL, env: []string{"PATH=" + searchPath},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, hostBootLimit)
	defer cancel()
	return poll(ctx, h.proc, func(ctx context.Context) error {
		out, err := h.exec(ctx, "systemctl", "is-system-running", "--wait")
		switch state := strings.TrimSpace(string(out)); {
		case err == nil, state == "degraded":
			return nil
		default:
			return fmt.Errorf("%w: %w", errNotYet, err)
		}
	})
}

// Reboot has the host's systemd end all units and boots the host again, by what
// is enabled in it. Files stay, but for those below /run, /tmp and /dev, and so
// does the network namespace: a simulated fabric in it outlives the host.
func (h *Host) Reboot(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	pid, err := h.pid()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, sigReboot); err != nil {
		return fmt.Errorf("lab: reboot host %s: %w", h.name, err)
	}
	limit := time.NewTimer(hostDownLimit)
	defer limit.Stop()
	select {
	case <-h.proc.done:
	case <-ctx.Done():
		return fmt.Errorf("lab: reboot host %s: %w", h.name, context.Cause(ctx))
	case <-limit.C:
		return fmt.Errorf("lab: host %s does not go down within %s", h.name, hostDownLimit)
	}
	return h.boot(ctx)
}

// Crash ends everything in the host at once, as a loss of power does, and
// leaves it down.
func (h *Host) Crash() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kill()
}

// kill ends all of the host.
func (h *Host) kill() error {
	if h.proc == nil {
		return nil
	}
	return killNamespace(h.proc, filepath.Join(h.dir, "pid"))
}

// pid is the number of the host's PID 1 on the machine.
func (h *Host) pid() (int, error) {
	if h.proc == nil || h.proc.ended() {
		return 0, fmt.Errorf("lab: host %s: %w", h.name, errHostDown)
	}
	pid, err := readPID(filepath.Join(h.dir, "pid"))
	if err != nil {
		return 0, fmt.Errorf("lab: host %s: %w: %w", h.name, errHostDown, err)
	}
	return pid, nil
}

// Stop ends everything in the host at once and removes what it wrote, its
// cgroups and its network namespace.
func (h *Host) Stop(ctx context.Context) error {
	return h.life.end(func() error {
		h.mu.Lock()
		defer h.mu.Unlock()
		errs := []error{h.kill(), h.clear()}
		if h.network != nil {
			errs = append(errs, h.network.stop(ctx))
		}
		for _, name := range []string{"upper", "work", "root", "lib", "settings", "boot", "enter", "ssh"} {
			errs = append(errs, os.RemoveAll(filepath.Join(h.dir, name)))
		}
		return errors.Join(errs...)
	})
}

// clear takes away what a host that is down has left: programs that were about
// to enter it, and its cgroups.
func (h *Host) clear() error {
	if err := os.Remove(filepath.Join(h.dir, "pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lab: host %s: %w", h.name, err)
	}
	return clearCgroup(h.id)
}

// clearCgroup kills all processes in a cgroup and removes it from all
// hierarchies.
func clearCgroup(id string) error {
	mounts, err := cgroupMounts("/")
	if err != nil {
		return err
	}
	deadline := time.Now().Add(killPatience)
	for {
		left := ""
		for _, mount := range mounts {
			dir := filepath.Join(mount, id)
			// Version 2 has this file (cgroup-v2.rst, "cgroup.kill"); who is in
			// no cgroup of that hierarchy is in none of the others.
			if err := os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0); err != nil && !absent(err) {
				return fmt.Errorf("lab: end what is in cgroup %s: %w", dir, err)
			}
			if err := removeCgroup(dir); err != nil {
				return err
			}
			if _, err := os.Stat(dir); err == nil {
				left = dir
			}
		}
		if left == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lab: processes in cgroup %s do not end", left)
		}
		time.Sleep(pollInterval)
	}
}

// absent says whether a file of a cgroup is not there: version 1 lets nobody
// create one.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENODEV)
}
