package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cgroupForm is how PID 1 gets at its cgroup. All forms use the host's cgroup
// namespace, because in a private one docker mounts the tree read-only and has
// no portable way to make the container's own part writable (moby#42275; the
// option writable-cgroups came with docker 28 only, moby#48828).
type cgroupForm struct {
	// parent is HostConfig.CgroupParent, "" for the engine's default.
	parent string
	// bind is the one entry of HostConfig.Binds.
	bind string
	// made is the path, below the mount point of cgroup2, that comes into
	// being with the container and stays when it goes; "" for none.
	made string
	note string
}

// cgroupFor chooses the form for an engine. token makes names unique. own says
// that the container needs a parent of its own in any case: socket hooks are
// attached to it before the container is there.
func cgroupFor(e Engine, token string, own bool) (cgroupForm, error) {
	const tree = "/sys/fs/cgroup"
	switch {
	case e.CgroupVersion == "1":
		// systemd gets by with a read-only view: the hierarchies mounted below
		// it stay writable, as the bind is not recursive in this.
		form := cgroupForm{bind: tree + ":" + tree + ":ro",
			note: "cgroup v1: " + tree + " read-only, in the host's cgroup namespace"}
		if own {
			form.parent = "/ibforge-verify-" + token
			form.made = form.parent
			if e.CgroupDriver == "systemd" {
				form.parent = "ibforge-verify-" + token + ".slice"
				form.made = slicePath(form.parent)
			}
			form.note += ", parent " + form.parent
		}
		return form, nil
	case e.CgroupVersion == "2" && e.CgroupDriver == "cgroupfs":
		return ownParent("/ibforge-verify-"+token, "/ibforge-verify-"+token), nil
	case e.CgroupVersion == "2" && e.CgroupDriver == "systemd":
		slice := "ibforge-verify-" + token + ".slice"
		return ownParent(slice, slicePath(slice)), nil
	}
	return cgroupForm{}, fmt.Errorf("the engine has cgroup version %q with driver %q: systemd can be given its cgroup with version 1, and with version 2 and driver cgroupfs or systemd",
		e.CgroupVersion, e.CgroupDriver)
}

// ownParent makes one subtree writable and leaves the rest of the host's tree
// read-only. Binds, unlike Mounts, make a missing source directory, and making
// that directory is making the cgroup.
func ownParent(parent, made string) cgroupForm {
	dir := path.Join("/sys/fs/cgroup", made)
	return cgroupForm{parent: parent, bind: dir + ":" + dir + ":rw", made: made,
		note: "cgroup v2: parent " + parent + ", writable at " + dir + ", in the host's cgroup namespace"}
}

// slicePath gives the cgroup of a slice, whose dashes are levels
// (systemd.slice(5)): a-b.slice is /a.slice/a-b.slice.
func slicePath(slice string) string {
	parts := strings.Split(strings.TrimSuffix(slice, ".slice"), "-")
	p := "/"
	for i := range parts {
		p = path.Join(p, strings.Join(parts[:i+1], "-")+".slice")
	}
	return p
}

// removeCgroup removes a cgroup and all below it from every hierarchy that this
// machine has mounted. It must be without processes, which may take a moment
// after the container's end.
func removeCgroup(ctx context.Context, clock Clock, made string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("finding the cgroup hierarchies: %w", err)
	}
	defer f.Close()
	trees, err := cgroupTrees(f)
	if err != nil {
		return err
	}
	for _, tree := range trees {
		dir := filepath.Join(tree, made)
		for try := 0; ; try++ {
			err := removeTree(dir)
			if err == nil {
				break
			}
			if try == 20 {
				return fmt.Errorf("removing the container's cgroup: %w", err)
			}
			if err := clock.Sleep(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// cgroupTrees gives the mount points of whole cgroup hierarchies of either
// version in a mountinfo table (proc_pid_mountinfo(5)): field 4 is the root within the file system,
// field 5 the mount point, and the type follows the lone dash.
func cgroupTrees(mountinfo io.Reader) ([]string, error) {
	var trees []string
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		dash := slices.Index(fields, "-")
		if dash >= 6 && len(fields) > dash+1 && (fields[dash+1] == "cgroup2" || fields[dash+1] == "cgroup") && fields[3] == "/" {
			trees = append(trees, fields[4])
		}
	}
	return trees, lines.Err()
}

// removeTree removes directories only, the deepest first: the files of a
// cgroup cannot be removed and go with it.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for _, d := range slices.Backward(dirs) {
		if e := os.Remove(d); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
