package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// State is what is in force for one service.
type State struct {
	Service string `json:"service"`
	// Map as it was attached, its rewrites left out; null if it is not known.
	Map *contract.PortMap `json:"map"`
	// Running says that processes live in the service's cgroup.
	Running bool `json:"running"`
	// Faults tells what is missing or differs; empty if all is in force.
	Faults []string `json:"faults"`
}

// List tells what is in force for each service that has pins, in the order of
// their names. It changes nothing.
func List(o Options) ([]State, error) {
	s, err := openStore(o, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing has been attached on this host
	}
	if err != nil {
		return nil, explainRights(err)
	}
	defer s.close()
	root, err := findCgroupRoot(o.CgroupRoot)
	if err != nil {
		return nil, err
	}
	services, err := s.services()
	if err != nil {
		return nil, explainRights(err)
	}
	var out []State
	for _, name := range services {
		state, err := s.state(name, root)
		if err != nil {
			return nil, fmt.Errorf("looking at %s: %w", name, explainRights(err))
		}
		out = append(out, state)
	}
	return out, nil
}

// state looks at one service. What is broken is a fault of it; only a lack of
// rights is an error, because then nothing can be told of any.
func (s *store) state(service, root string) (State, error) {
	state := State{Service: service, Faults: []string{}}
	var err error
	if state.Map, err = s.readMap(service); err == nil && state.Map == nil {
		err = errors.New("its port map is missing; cure: attach it again")
	}
	if err == nil {
		state.Running = populated(filepath.Join(root, state.Map.Cgroup))
		var faults []string
		faults, err = s.compare(*state.Map, root)
		state.Faults = append(state.Faults, faults...)
	}
	if errors.Is(err, fs.ErrPermission) {
		return State{}, err
	}
	if err != nil {
		state.Faults = append(state.Faults, err.Error())
	}
	return state, nil
}

// Check tells whether exactly the hooks of this map are in force, by an error
// that wraps [ErrNotInForce] and names each difference. It changes nothing. A
// map that needs no hooks is in force when there are none.
func Check(m contract.PortMap, o Options) error {
	if err := validate(m); err != nil {
		return err
	}
	s, err := openStore(o, false)
	if errors.Is(err, fs.ErrNotExist) {
		if !portmap.Hooked(m.Ports) {
			return nil
		}
		return notInForce(m.Service, []string{"nothing is attached on this host"})
	}
	if err != nil {
		return explainRights(err)
	}
	defer s.close()
	root, err := findCgroupRoot(o.CgroupRoot)
	if err != nil {
		return err
	}
	faults, err := s.compare(m, root)
	if err != nil {
		return fmt.Errorf("checking the port map of %s: %w", m.Service, explainRights(err))
	}
	if len(faults) > 0 {
		return notInForce(m.Service, faults)
	}
	return nil
}

func notInForce(service string, faults []string) error {
	var errs []error
	for _, f := range faults {
		errs = append(errs, errors.New(f)) //nolint:err113 // told together
	}
	return fmt.Errorf("the port map of %s is %w: %w; cure: attach it", service, ErrNotInForce, errors.Join(errs...))
}

// compare tells how the pins differ from what the map needs.
func (s *store) compare(m contract.PortMap, root string) ([]string, error) {
	pins, err := s.pins(m.Service)
	if err != nil {
		return nil, err
	}
	if !portmap.Hooked(m.Ports) {
		if len(pins) > 0 {
			return []string{"hooks are in force, and the map needs none"}, nil
		}
		return nil, nil
	}
	t, err := openTarget(m, root, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return []string{"the cgroup " + m.Cgroup + " does not exist"}, nil
	}
	if err != nil {
		return nil, err
	}
	defer t.close()
	hooks, err := loadHooks(m, t, loadProgram)
	if err != nil {
		return nil, err
	}
	defer closeHooks(hooks)
	var faults []string
	for i := range hooks {
		fault, err := s.compareHook(m.Service, t, &hooks[i])
		if err != nil {
			return nil, err
		}
		if fault != "" {
			faults = append(faults, "hook "+hooks[i].name+" "+fault)
		}
	}
	for _, name := range pins {
		if name != mapPin && !slices.ContainsFunc(hooks, func(h hook) bool { return h.name == name }) {
			faults = append(faults, "hook "+name+" is in force, and the map does not need it")
		}
	}
	return faults, nil
}

func (s *store) compareHook(service string, t *target, h *hook) (string, error) {
	l, at, id, err := s.link(service, h.name)
	if err != nil {
		return "", err
	}
	if l == nil {
		return "is not attached", nil
	}
	defer func() { _ = l.Close() }() // the pin keeps it
	if at.CgroupId != t.idOf(h) {
		return fmt.Sprintf("belongs to another cgroup than %s, most likely to one that was removed", t.fileOf(h).Name()), nil
	}
	old, same, err := sameProgram(id, h.prog)
	if err != nil || same {
		return "", err
	}
	_ = old.Close() // the link keeps it
	return "has another map", nil
}
