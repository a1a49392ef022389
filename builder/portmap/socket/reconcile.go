package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

// kept is the map as it is kept beside the hooks: without what a service's own
// files are rewritten by, which is not the hooks' business.
func kept(m contract.PortMap) contract.PortMap {
	m.Ports = slices.Clone(m.Ports)
	for i := range m.Ports {
		m.Ports[i].Rewrites = []contract.Rewrite{}
	}
	return m
}

// conflicts refuses what would translate the ports of one process twice, or
// leave a running service without its hooks.
func (s *store) conflicts(m contract.PortMap, root string) error {
	services, err := s.services()
	if err != nil {
		return err
	}
	for _, name := range services {
		held, err := s.readMap(name)
		if err != nil || held == nil {
			continue // Attach repairs it, or List tells of it; no cgroup is known
		}
		if held.Service == m.Service {
			if held.Cgroup != m.Cgroup && populated(filepath.Join(root, held.Cgroup)) {
				return fmt.Errorf("%w: %s still runs in cgroup %s, and would lose its hooks to %s; cure: stop it first", ErrNoCgroup, m.Service, held.Cgroup, m.Cgroup)
			}
			continue
		}
		if within(held.Cgroup, m.Cgroup) || within(m.Cgroup, held.Cgroup) {
			return fmt.Errorf("%w: %s and, in force already, %s of service %s are not apart; cure: a cgroup of its own for each, or detach %s", ErrNoCgroup, m.Cgroup, held.Cgroup, held.Service, held.Service)
		}
		if err := guardConflict(m, *held); err != nil {
			return err
		}
	}
	return nil
}

// guardConflict tells of a port of the host that both maps have, one of them
// guarded: the service could not connect to itself.
func guardConflict(m, held contract.PortMap) error {
	for _, p := range m.Ports {
		for _, other := range held.Ports {
			if p.Host == other.Host && p.Protocol == other.Protocol && (p.Guarded || other.Guarded) {
				return fmt.Errorf("%w: port %s of %s and, in force already, port %s of %s both are %d/%s on the host, and the one that is guarded shuts the other out; cure: another number, or \"ibforge-portmap detach %s\" if that service is gone",
					ErrMap, p.Name, m.Service, other.Name, held.Service, p.Host, p.Protocol, held.Service)
			}
		}
	}
	return nil
}

func within(path, top string) bool { return path == top || strings.HasPrefix(path, top+"/") }

// reconcile makes the pins of a service be those of the loaded hooks, and tells
// what it took.
func (s *store) reconcile(m contract.PortMap, t *target, hooks []hook, u *undo) (string, error) {
	before, err := s.pins(m.Service)
	if err != nil {
		return "", err
	}
	if before == nil {
		// An empty one is left by who was killed.
		if err := os.Mkdir(s.dir(m.Service), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("%w: %w", ErrPinRoot, err)
		}
		u.add(func() error { return os.Remove(s.dir(m.Service)) })
	}
	did := DidNothing
	changed, err := s.reconcileMap(kept(m), u)
	if err != nil {
		return "", err
	}
	if changed {
		did = DidUpdate
	}
	for i := range hooks {
		what, err := s.reconcileHook(m.Service, t, &hooks[i], u)
		if err != nil {
			return "", fmt.Errorf("hook %s: %w", hooks[i].name, err)
		}
		did = stronger(did, what)
	}
	stale := slices.DeleteFunc(before, func(name string) bool {
		return name == mapPin || slices.ContainsFunc(hooks, func(h hook) bool { return h.name == name })
	})
	for _, name := range stale {
		if err := s.drop(m.Service, name); err != nil {
			return "", err
		}
		did = stronger(did, DidUpdate)
	}
	return did, nil
}

// stronger of two answers, for all of a service.
func stronger(a, b string) string {
	for _, did := range []string{DidAttach, DidUpdate} {
		if a == did || b == did {
			return did
		}
	}
	return DidNothing
}

func (s *store) reconcileMap(m contract.PortMap, u *undo) (bool, error) {
	held, err := s.readMap(m.Service)
	if err == nil && held != nil && reflect.DeepEqual(*held, m) {
		return false, nil
	}
	u.add(func() error {
		if held != nil {
			return s.writeMap(*held)
		}
		return s.drop(m.Service, mapPin)
	})
	return true, s.writeMap(m)
}

// reconcileHook puts one program in force.
func (s *store) reconcileHook(service string, t *target, h *hook, u *undo) (string, error) {
	l, at, id, err := s.link(service, h.name)
	if err != nil {
		return "", err
	}
	if l == nil {
		return DidAttach, s.attach(service, t, h, u)
	}
	defer func() { _ = l.Close() }() // the pin keeps it
	// A link whose cgroup is gone says 0, some time after the end.
	if at.CgroupId != t.idOf(h) {
		err := s.attach(service, t, h, u)
		if err == nil {
			_ = l.Detach() // of a cgroup without processes, see conflicts
		}
		return DidAttach, err
	}
	old, same, err := sameProgram(id, h.prog)
	if err != nil || same {
		return DidNothing, err
	}
	u.keep(old)
	u.add(func() error { return s.update(service, h, old) })
	if err := l.Update(h.prog); err != nil {
		return "", fmt.Errorf("replacing its program: %w", err)
	}
	return DidUpdate, nil
}

// update replaces the program of a pinned link.
func (s *store) update(service string, h *hook, prog *ebpf.Program) error {
	l, _, _, err := s.link(service, h.name)
	if err != nil || l == nil {
		return err
	}
	defer func() { _ = l.Close() }() // the pin keeps it
	return l.Update(prog)            //nolint:wrapcheck // undo does
}

// attach makes and pins a new link.
func (s *store) attach(service string, t *target, h *hook, u *undo) error {
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: int(t.fileOf(h).Fd()), Program: h.prog, Attach: h.attach})
	if errors.Is(err, link.ErrNotSupported) {
		return fmt.Errorf("%w: it has no links for cgroups (in Linux since 5.7): %w; %s", ErrNoHooks, err, configCure)
	}
	if errors.Is(err, unix.EPERM) {
		// The program was loaded, which takes the same rights.
		return fmt.Errorf("%w: another program has the hook to itself on %s, or above it; cure: find it with bpftool cgroup tree, and have it share the hook (BPF_F_ALLOW_MULTI)", ErrNoCgroup, t.fileOf(h).Name())
	}
	if err != nil {
		return fmt.Errorf("attaching to cgroup %s: %w", t.fileOf(h).Name(), err)
	}
	defer func() { _ = l.Close() }() // the pin keeps it
	u.add(func() error { return s.drop(service, h.name) })
	return s.place(service, h.name, l)
}

// sameProgram compares by the kernel's own digest of the instructions, which
// covers the constants, and thereby the map. It opens the program in force.
func sameProgram(id ebpf.ProgramID, wanted *ebpf.Program) (*ebpf.Program, bool, error) {
	old, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return nil, false, fmt.Errorf("opening the program in force: %w", err)
	}
	have, err := old.Info()
	if err == nil {
		var want *ebpf.ProgramInfo
		if want, err = wanted.Info(); err == nil && have.Tag == want.Tag {
			_ = old.Close() // the link keeps it
			return nil, true, nil
		}
	}
	if err != nil {
		_ = old.Close() // the link keeps it
		return nil, false, fmt.Errorf("reading the program in force: %w", err)
	}
	return old, false, nil
}
