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
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// cleanupLimit bounds the requests that Stop makes to a dockerd that may hang.
const cleanupLimit = 20 * time.Second

// Stop removes all containers, ends dockerd and takes away the cgroups that
// its containers had. Images and volumes stay in the engine's directory.
func (e *Engine) Stop(ctx context.Context) error {
	return e.life.end(func() error { return e.stop(ctx) })
}

func (e *Engine) stop(ctx context.Context) error {
	var errs []error
	e.parents.stop()
	if !e.proc.ended() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
		defer cancel()
		errs = append(errs, e.removeContainers(limited))
		// dockerd sees the cgroups at the paths that it used, whatever is
		// mounted where in this process's namespace.
		root := filepath.Join("/proc", strconv.Itoa(e.proc.cmd.Process.Pid), "root")
		errs = append(errs, removeCgroups(root, e.parents.list()))
	}
	errs = append(errs, e.proc.stop(ctx))
	if err := e.killLeftovers(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, removeCgroups("/", e.parents.list()), e.client.Close())
	return errors.Join(errs...)
}

// removeContainers kills and removes every container with its anonymous
// volumes.
func (e *Engine) removeContainers(ctx context.Context) error {
	list, err := e.client.ContainerList(ctx, container.ListOptions{All: true})
	if client.IsErrConnectionFailed(err) {
		return nil // it never came up, or is going down
	}
	if err != nil {
		return fmt.Errorf("lab: list containers: %w", err)
	}
	var errs []error
	for _, c := range list {
		e.parents.inspect(ctx, e.client, c.ID)
		err := e.client.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil {
			errs = append(errs, fmt.Errorf("lab: remove container %v: %w", c.Names, err))
		}
	}
	return errors.Join(errs...)
}

// killLeftovers ends what a killed dockerd leaves running: containerd's shims,
// which are known by this engine's socket in their arguments, and below them
// the containers. After an orderly end it finds nothing.
func (e *Engine) killLeftovers() error {
	deadline := time.Now().Add(killPatience)
	for {
		pids, err := descendants(func(argv string) bool {
			return strings.Contains(argv, e.dir+"/exec/containerd/")
		})
		if err != nil || len(pids) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lab: processes %v of the container engine in %s do not end", pids, e.dir)
		}
		for _, pid := range pids {
			e.parents.of(pid)
			// The process may be gone by now, which is what is wanted.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(pollInterval)
	}
}

// descendants returns the processes whose arguments, joined by NUL, match, and
// all processes below them.
func descendants(match func(argv string) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("lab: list processes: %w", err)
	}
	children := map[int][]int{}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		parent, zombie := parentOf(pid)
		children[parent] = append(children[parent], pid)
		argv, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err == nil && !zombie && pid != os.Getpid() && match(string(argv)) {
			found = append(found, pid)
		}
	}
	seen := map[int]bool{}
	for i := 0; i < len(found); i++ {
		if !seen[found[i]] {
			seen[found[i]] = true
			found = append(found, children[found[i]]...)
		}
	}
	return found, nil
}

// parentOf reads the parent and whether the process is a zombie from
// /proc/PID/stat (proc_pid_stat(5)); the name in parentheses may hold anything.
func parentOf(pid int) (parent int, zombie bool) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, true
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, true
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, err != nil || fields[0] == "Z"
}

// rmdirBusy says whether a cgroup could not be removed because somebody else
// uses it or has removed it, which is nothing to complain about.
func rmdirBusy(err error) bool {
	return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ENOENT)
}
