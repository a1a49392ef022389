package socket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

// findCgroupRoot gives the mount point of the whole cgroup v2 tree.
func findCgroupRoot(given string) (string, error) {
	const cure = "cure: mount -t cgroup2 none /sys/fs/cgroup/unified, or name the tree's mount point"
	if given != "" {
		if kind, err := fsType(given); err != nil || kind != unix.CGROUP2_SUPER_MAGIC {
			return "", fmt.Errorf("%w: %s is no cgroup v2 tree; %s", ErrNoCgroup, given, cure)
		}
		return filepath.Clean(given), nil
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("finding the cgroup v2 tree: %w", err)
	}
	defer f.Close()
	trees, err := cgroup2Trees(f)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	// Another mount may be hidden below one made later.
	for _, tree := range trees {
		if kind, err := fsType(tree); err == nil && kind == unix.CGROUP2_SUPER_MAGIC {
			return tree, nil
		}
	}
	return "", fmt.Errorf("%w: the cgroup v2 tree is not mounted; %s", ErrNoCgroup, cure)
}

// cgroup2Trees gives the mount points of whole cgroup2 trees in a mountinfo
// table (proc_pid_mountinfo(5)): the fourth field is the root within the file
// system, the fifth the mount point, and the type follows the lone dash.
func cgroup2Trees(mountinfo io.Reader) ([]string, error) {
	var trees []string
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		dash := slices.Index(fields, "-")
		if dash >= 6 && len(fields) > dash+1 && fields[dash+1] == "cgroup2" && fields[3] == "/" {
			trees = append(trees, fields[4])
		}
	}
	return trees, lines.Err()
}

func fsType(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(st.Type), nil //nolint:unconvert // it is 32 bits wide on some machines
}

// target is what hooks are attached to.
type target struct {
	// dir is the service's cgroup.
	dir       string
	svc, root *os.File
	// wholeTree is false if root is only a part of the machine's tree.
	wholeTree bool
	rootID    uint64
	owner     owner
}

// maxNamespaceDepth is how far below the machine's root the root of a cgroup
// namespace may lie: an ID belongs to one cgroup, so that levels which are not
// there do no harm, but a program is not to grow without need.
const maxNamespaceDepth = 16

// openTarget opens the cgroups of a map, and makes the service's if it is not
// there and u is not nil.
func openTarget(m contract.PortMap, root string, u *undo) (*target, error) {
	t := &target{dir: filepath.Join(root, m.Cgroup)}
	if u != nil {
		if err := makeCgroup(root, m.Cgroup, u); err != nil {
			return nil, err
		}
	}
	var err error
	if t.root, err = os.Open(root); err != nil {
		return nil, err
	}
	if t.svc, err = os.Open(t.dir); err != nil {
		t.close()
		return nil, err
	}
	// All cgroups but the root have this file (cgroup-v2.rst).
	_, err = os.Stat(filepath.Join(root, "cgroup.type"))
	t.wholeTree = errors.Is(err, fs.ErrNotExist)
	t.owner.level = strings.Count(m.Cgroup, "/")
	if !t.wholeTree {
		t.owner.deeper = maxNamespaceDepth
	}
	if t.owner.id, err = cgroupID(t.svc); err == nil {
		t.rootID, err = cgroupID(t.root)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	t.owner.netns, err = netnsCookie()
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *target) close() {
	_ = t.root.Close() // opened for reading
	if t.svc != nil {
		_ = t.svc.Close() // the same
	}
}

// idOf gives the id of the cgroup to which a hook belongs.
func (t *target) idOf(h *hook) uint64 {
	if h.root {
		return t.rootID
	}
	return t.owner.id
}

func (t *target) fileOf(h *hook) *os.File {
	if h.root {
		return t.root
	}
	return t.svc
}

// makeCgroup makes what is missing of the path.
func makeCgroup(root, path string, u *undo) error {
	dir := root
	for _, part := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		dir = filepath.Join(dir, part)
		err := os.Mkdir(dir, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("making the cgroup: %w", err)
		}
		made := dir
		u.add(func() error { return os.Remove(made) })
	}
	return nil
}

// cgroupID gives the number by which the kernel's programs and links know a
// cgroup: the file handle of its directory (name_to_handle_at(2)), as libbpf's
// and bpftool's get_cgroup_id read it.
func cgroupID(dir *os.File) (uint64, error) {
	const size = 8
	handle, _, err := unix.NameToHandleAt(int(dir.Fd()), "", unix.AT_EMPTY_PATH)
	if err != nil {
		return 0, fmt.Errorf("asking for the id of cgroup %s: %w", dir.Name(), err)
	}
	if handle.Size() != size {
		return 0, fmt.Errorf("%w: the handle of %s has %d bytes where a cgroup's has %d", ErrNoCgroup, dir.Name(), handle.Size(), size)
	}
	return binary.NativeEndian.Uint64(handle.Bytes()), nil
}

// netnsCookie gives the number of this process's network namespace, which is
// the one that the service binds in; see owner.netns for 0.
func netnsCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("asking for the network namespace: %w", err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if errors.Is(err, unix.ENOPROTOOPT) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("asking for the network namespace: %w", err)
	}
	return cookie, nil
}

// populated says whether processes live in a cgroup or below it.
func populated(dir string) bool {
	events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
	return err == nil && strings.Contains(string(events), "populated 1")
}
