package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// cgroupParents remembers which cgroup parents an engine's containers had.
// runc removes a container's own cgroup but not the parent named by
// --cgroup-parent, and a container that was removed can no longer be asked, so
// each is asked when it is created.
type cgroupParents struct {
	cancel context.CancelFunc
	idle   chan struct{}

	mu   sync.Mutex
	seen map[string]bool
}

func newCgroupParents(own string) *cgroupParents {
	idle := make(chan struct{})
	close(idle)
	return &cgroupParents{cancel: func() {}, idle: idle, seen: map[string]bool{own: true}}
}

// watch asks every container that is created from now until stop.
func (c *cgroupParents) watch(docker *client.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	messages, errs := docker.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.ContainerEventType)),
		filters.Arg("event", string(events.ActionCreate)))})
	c.cancel, c.idle = cancel, make(chan struct{})
	go func() {
		defer close(c.idle)
		for {
			select {
			case m := <-messages:
				c.inspect(ctx, docker, m.Actor.ID)
			case <-errs:
				return
			}
		}
	}()
}

// stop ends watch and waits for it.
func (c *cgroupParents) stop() {
	c.cancel()
	<-c.idle
}

// inspect notes the parent of one container. A container that is gone or a
// parent outside of ibforge's own is passed over: what is not known to be made
// for ibforge is not removed.
func (c *cgroupParents) inspect(ctx context.Context, docker *client.Client, id string) {
	info, err := docker.ContainerInspect(ctx, id)
	if err != nil || info.HostConfig == nil {
		return
	}
	c.note(path.Clean("/" + info.HostConfig.CgroupParent))
}

// of notes where the container is that a process belongs to: a dockerd that was
// killed can no longer be asked. A line of /proc/PID/cgroup ends with the path
// after the second colon (cgroups(7)); systemd has cgroups below the container's,
// so that the outermost one is all that is known for certain.
func (c *cgroupParents) of(pid int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return // it has ended
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.SplitN(strings.TrimSpace(line), ":", 3); len(fields) == 3 {
			outermost, _, _ := strings.Cut(strings.TrimPrefix(fields[2], "/"), "/")
			c.note("/" + outermost)
		}
	}
}

func (c *cgroupParents) note(parent string) {
	if !strings.HasPrefix(parent, "/ibforge") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[parent] = true
}

// list returns the parents, sorted.
func (c *cgroupParents) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	parents := make([]string, 0, len(c.seen))
	for p := range c.seen {
		parents = append(parents, p)
	}
	slices.Sort(parents)
	return parents
}

// removeCgroups removes the named cgroups, which start with a slash, from all
// hierarchies that a process with the given root directory sees. A cgroup that
// is in use is left alone: another engine may share the name.
func removeCgroups(root string, names []string) error {
	mounts, err := cgroupMounts(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, mount := range mounts {
		for _, name := range names {
			errs = append(errs, removeCgroup(filepath.Join(root, mount, name)))
		}
	}
	return errors.Join(errs...)
}

// removeCgroup removes a cgroup with those below it, deepest first: rmdir(2)
// is the only way, since their files cannot be unlinked (cgroups(7)).
func removeCgroup(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lab: remove cgroup: %w", err)
	}
	slices.Reverse(dirs)
	for _, d := range dirs {
		if err := unix.Rmdir(d); err != nil && !rmdirBusy(err) {
			return fmt.Errorf("lab: remove cgroup %s: %w", d, err)
		}
	}
	return nil
}

// cgroupMounts returns the mount points of all cgroup hierarchies in the mount
// namespace of the process whose root directory is given as /proc/PID/root, or
// "/" for this process.
func cgroupMounts(root string) ([]string, error) {
	file := "/proc/self/mountinfo"
	if root != "/" {
		file = filepath.Join(filepath.Dir(root), "mountinfo")
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) {
		return nil, nil // the process is gone or about to go, and its view with it
	}
	if err != nil {
		return nil, fmt.Errorf("lab: find cgroups: %w", err)
	}
	defer func() { _ = f.Close() }()
	var mounts []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if point, kind, ok := parseMountinfo(lines.Text()); ok && (kind == "cgroup" || kind == "cgroup2") {
			mounts = append(mounts, point)
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("lab: read %s: %w", file, err)
	}
	return mounts, nil
}

// parseMountinfo takes the mount point and the file system type from one line
// of /proc/PID/mountinfo (proc_pid_mountinfo(5)): the type is the first field
// after the separator "-".
func parseMountinfo(line string) (point, kind string, ok bool) {
	before, after, found := strings.Cut(line, " - ")
	fields, rest := strings.Fields(before), strings.Fields(after)
	if !found || len(fields) < 5 || len(rest) < 1 {
		return "", "", false
	}
	return fields[4], rest[0], true
}
