// Package socket moves and guards the ports of one service below the service:
// BPF programs on the service's cgroup translate port numbers in bind(2),
// connect(2), sendmsg(2), recvmsg(2), getsockname(2) and getpeername(2), and
// programs on the root of the cgroup tree refuse the connections of others to
// guarded ports. The service is not changed and does not notice.
//
// The programs hold the port map as constants and share no state, so that each
// sees one whole map at any time, and an unchanged connect(2) costs a few
// compares. Their links are pinned in a BPF file system, where they outlive who
// attached them; nothing runs in between. The youngest hooks that they need,
// those of getsockname(2), are in Linux since 5.8 (1b66d253610c).
//
// What it does not do: /proc/net and ss(8) show the host's numbers everywhere.
// From inside, loopback with a number of the map is always the service itself,
// whoever else may have that number on the host. A guard keeps processes of this
// host out, not other hosts; and a guarded port that the service binds on any
// address is refused to others of this host on every destination, remote ones
// too (see guard).
package socket

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// Options say where the kernel's trees are. The zero value is right for a host.
type Options struct {
	// CgroupRoot is where the whole cgroup v2 tree is mounted. Empty: it is
	// looked up in /proc/self/mountinfo, which finds /sys/fs/cgroup, and
	// /sys/fs/cgroup/unified where version 1 is in use beside it.
	CgroupRoot string
	// PinRoot is the directory for the services' pins, in a BPF file system.
	// Empty: [DefaultPinRoot].
	PinRoot string
}

// DefaultPinRoot is the default of [Options.PinRoot].
const DefaultPinRoot = "/sys/fs/bpf/ibforge"

// What an [Attach] did.
const (
	// DidAttach says that hooks were put in force that were not.
	DidAttach = "attached"
	// DidUpdate says that hooks in force were replaced without a gap.
	DidUpdate = "updated"
	// DidDetach says that hooks were removed, because the map needs none.
	DidDetach = "detached"
	// DidNothing says that what was wanted is in force already, or that the map
	// needs no hooks and there are none.
	DidNothing = "unchanged"
)

// Result tells what [Attach] found and did.
type Result struct {
	// Did is [DidAttach], [DidUpdate], [DidDetach] or [DidNothing].
	Did string
	// Changed is false for [DidNothing] only.
	Changed bool
	// Hooks is the number of hooks in force.
	Hooks int
	// Cgroup is the directory of the service's cgroup; empty without hooks.
	Cgroup string
}

// Attach puts the hooks of the port map in force, and leaves everything as it
// was if it cannot. It makes the service's cgroup, mounts a BPF file system at
// /sys/fs/bpf if there is none, and can be repeated: what is right is left
// alone, what differs is replaced without a moment between the two, and a
// cgroup that was removed and made again gets new hooks. A map that needs no
// hooks loses those that it had.
//
// Errors wrap [ErrMap], [ErrNoHooks], [ErrNoRights], [ErrNoCgroup] or
// [ErrPinRoot] where one of them is the reason.
func Attach(m contract.PortMap, o Options) (Result, error) {
	if err := validate(m); err != nil {
		return Result{}, err
	}
	r, err := attach(m, o)
	if err != nil {
		return Result{}, fmt.Errorf("attaching the port map of %s: %w", m.Service, explainRights(err))
	}
	return r, nil
}

func attach(m contract.PortMap, o Options) (Result, error) {
	s, err := openStore(o, true)
	if err != nil {
		return Result{}, err
	}
	defer s.close()
	if !portmap.Hooked(m.Ports) {
		removed, err := s.remove(m.Service)
		if err != nil || !removed {
			return Result{Did: DidNothing}, err
		}
		return Result{Did: DidDetach, Changed: true}, nil
	}
	root, err := findCgroupRoot(o.CgroupRoot)
	if err != nil {
		return Result{}, err
	}
	if err := s.conflicts(m, root); err != nil {
		return Result{}, err
	}
	var u undo
	defer u.close()
	r, err := s.put(m, root, &u)
	if err != nil {
		return Result{}, errors.Join(err, u.run())
	}
	return r, nil
}

// put makes the cgroup and reconciles the pins; what it did is in u.
func (s *store) put(m contract.PortMap, root string, u *undo) (Result, error) {
	t, err := openTarget(m, root, u)
	if err != nil {
		return Result{}, err
	}
	defer t.close()
	hooks, err := loadHooks(m, t, loadProgram)
	if err != nil {
		return Result{}, err
	}
	defer closeHooks(hooks)
	did, err := s.reconcile(m, t, hooks, u)
	return Result{Did: did, Changed: did != DidNothing, Hooks: len(hooks), Cgroup: t.dir}, err
}

// Detach removes the hooks and pins of a service, and is content if there are
// none. Sockets that are bound stay where they are, and the cgroup stays too:
// processes may live in it.
func Detach(service string, o Options) error {
	if err := serviceFault(service); err != nil {
		return fmt.Errorf("%w: %w", ErrMap, err)
	}
	s, err := openStore(o, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer s.close()
		_, err = s.remove(service)
	}
	if err != nil {
		return fmt.Errorf("detaching the port map of %s: %w", service, explainRights(err))
	}
	return nil
}
