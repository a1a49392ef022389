package socket

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

// mapPin is the pin of the port map as JSON, for people and for later calls:
// the programs themselves cannot be read back.
const mapPin = "map"

// store is the directory of pins: one directory per service, in it one pin per
// hook. While it is open, nobody else changes it.
type store struct {
	root string
	lock *os.File
}

// openStore opens the directory, and makes it if it is missing and make is set;
// otherwise the error is fs.ErrNotExist.
func openStore(o Options, create bool) (*store, error) {
	root := filepath.Clean(o.PinRoot)
	if o.PinRoot == "" {
		root = DefaultPinRoot
	}
	if create {
		if err := mountBPF(root); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(root, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPinRoot, err)
		}
	}
	kind, err := fsType(root)
	if err != nil {
		return nil, err
	}
	if kind != unix.BPF_FS_MAGIC {
		return nil, fmt.Errorf("%w: %s is in no BPF file system; cure: a directory below /sys/fs/bpf", ErrPinRoot, root)
	}
	lock, err := flock(root)
	if err != nil {
		return nil, err
	}
	return &store{root: root, lock: lock}, nil
}

// close lets others in.
func (s *store) close() { _ = s.lock.Close() } // opened for reading

// dir gives the directory of a service. A BPF file system refuses dots in names
// (bpf_lookup in the kernel's kernel/bpf/inode.c), and no service has a dash.
func (s *store) dir(service string) string {
	return filepath.Join(s.root, strings.ReplaceAll(service, ".", "-"))
}

// services lists all that have a directory.
func (s *store) services() ([]string, error) {
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if name := strings.ReplaceAll(e.Name(), "-", "."); e.IsDir() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// pins lists what is in the directory of a service; nothing if there is none.
func (s *store) pins(service string) ([]string, error) {
	entries, err := os.ReadDir(s.dir(service))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, err
}

// remove removes all pins of a service, and with them the hooks, the sentinel's
// first. It says whether there was anything.
func (s *store) remove(service string) (bool, error) {
	pins, err := s.pins(service)
	if err != nil {
		return false, err
	}
	order := []string{sentinelHook}
	for _, name := range pins {
		if name != sentinelHook && name != mapPin {
			order = append(order, name)
		}
	}
	for _, name := range append(order, mapPin) {
		if err := s.drop(service, name); err != nil {
			return true, err
		}
	}
	err = os.Remove(s.dir(service))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	// The last service takes the directory above along; others keep it there.
	_ = os.Remove(filepath.Dir(s.dir(service)))
	return true, err
}

// drop puts a hook out of force and removes its pin; or any other pin.
func (s *store) drop(service, name string) error {
	path := filepath.Join(s.dir(service), name)
	if l, err := link.LoadPinnedLink(path, nil); err == nil {
		// Without it (it is of Linux 5.9) the hook ends some time after the
		// pin is gone.
		_ = l.Detach()
		_ = l.Close()
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// pinner is a link or a map.
type pinner interface{ Pin(name string) error }

// place pins an object in place of what may be there, with no moment in
// between: what a rename replaces is put out of force by the same step.
func (s *store) place(service, name string, object pinner) error {
	path := filepath.Join(s.dir(service), name)
	next := path + "-new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := object.Pin(next); err != nil {
		return fmt.Errorf("pinning %s: %w", next, err)
	}
	err := os.Rename(next, path)
	if err != nil {
		_ = os.Remove(next) // the reason is told
	}
	return err
}

// link loads the pinned link of a hook; nil if there is none.
func (s *store) link(service, name string) (link.Link, *link.CgroupInfo, ebpf.ProgramID, error) {
	path := filepath.Join(s.dir(service), name)
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, 0, nil
	}
	const cure = "cure: detach the service and attach it again"
	if err != nil {
		return nil, nil, 0, fmt.Errorf("reading %s: %w; %s", path, err, cure)
	}
	info, err := l.Info()
	if err == nil && info.Cgroup() == nil {
		err = errors.New("it is no link of a cgroup")
	}
	if err != nil {
		_ = l.Close() // the pin keeps it
		return nil, nil, 0, fmt.Errorf("reading %s: %w; %s", path, err, cure)
	}
	return l, info.Cgroup(), info.Program, nil
}

// readMap gives the port map that was attached last; nil if there is none.
func (s *store) readMap(service string) (*contract.PortMap, error) {
	path := filepath.Join(s.dir(service), mapPin)
	held, err := ebpf.LoadPinnedMap(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing is an answer here
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer func() { _ = held.Close() }() // only read
	var raw []byte
	if err := held.Lookup(uint32(0), &raw); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var m contract.PortMap
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return &m, nil
}

// writeMap keeps the port map, which nobody can change afterwards.
func (s *store) writeMap(m contract.PortMap) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("keeping the port map: %w", err)
	}
	held, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "ib_portmap", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(len(raw)), MaxEntries: 1, //nolint:gosec // validate bounds it
		Contents: []ebpf.MapKV{{Key: uint32(0), Value: raw}},
	})
	if err != nil {
		return fmt.Errorf("keeping the port map: %w", err)
	}
	defer func() { _ = held.Close() }() // the pin keeps it
	if err := held.Freeze(); err != nil {
		return fmt.Errorf("keeping the port map: %w", err)
	}
	return s.place(m.Service, mapPin, held)
}
