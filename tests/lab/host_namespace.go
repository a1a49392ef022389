package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// startNamespace starts a process whose only purpose is to keep namespaces of
// its own, and returns the path of the one of a kind, such as "net", for
// nsenter(1). flags are those of unshare(1).
func startNamespace(ctx context.Context, kind string, flags ...string) (*process, string, error) {
	unshare, err := findTool("unshare")
	if err != nil {
		return nil, "", err
	}
	p, err := startProcess("keeper of a namespace", command{
		argv: append(append([]string{unshare}, flags...), "sleep", "infinity"), dir: "/",
		deathSignal: syscall.SIGKILL, env: []string{"PATH=" + searchPath},
	})
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "ns", kind)
	err = poll(ctx, p, func(context.Context) error {
		own, err := os.Readlink(filepath.Join("/proc/self/ns", kind))
		if err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		// It is that of this process until unshare has done its work.
		if its, err := os.Readlink(path); err != nil || its == own {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		return nil, "", failedStart(err, p.stop(ctx))
	}
	return p, path, nil
}

// killNamespace kills the PID 1 of a PID namespace, whose number is in a file,
// and with it the kernel ends all others in there (pid_namespaces(7)). p is the
// unshare(1) that waits for it.
func killNamespace(p *process, file string) error {
	if p.ended() {
		return nil
	}
	pid, err := readPID(file)
	if err != nil {
		return p.kill() // it had none yet
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("lab: kill %s: %w", p.name, err)
	}
	<-p.done
	// The number is somebody else's soon.
	return os.Remove(file)
}

// readPID reads the number of a process from a file.
func readPID(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return pid, nil
}
