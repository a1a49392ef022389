package overlay

import (
	"errors"
	"path"
	"slices"
)

// scene is a configuration with all its layers.
type scene struct {
	disk    Disk
	o       Options
	root    *layer
	byName  map[string]*layer
	target  *layer
	version string
}

func open(d Disk, o Options) (*scene, error) {
	s := &scene{disk: d, o: o, root: &layer{}, byName: map[string]*layer{}, version: o.Shipped.Version}
	var faults []error
	names, err := environments(d)
	faults = append(faults, err)
	for _, l := range append([]string{""}, names...) {
		at := &layer{}
		if l != "" {
			at.dir = path.Join(Environments, l)
		}
		at.old, err = readManifest(d, at.dir)
		faults = append(faults, err)
		s.byName[l] = at
	}
	s.root = s.byName[""]
	if err := environment(d, o.Environment); err != nil {
		faults = append(faults, &UsageError{err})
	}
	s.target = s.byName[o.Environment]
	return s, errors.Join(faults...)
}

// others are the environments that have files of ours, but for the target.
func (s *scene) others() []string {
	var out []string
	for name, l := range s.byName {
		if name != "" && l != s.target && l.old != nil {
			out = append(out, name)
		}
	}
	return slices.Sorted(slices.Values(out))
}

func (s *scene) where() string {
	if s.target.dir == "" {
		return " in this configuration"
	}
	return " in " + s.target.dir
}

// rootWithout is what the root keeps when the target goes; nil where nobody
// needs it any more.
func (s *scene) rootWithout(others []string, site bool) *Manifest {
	if !site && len(others) == 0 {
		return nil
	}
	next := &Manifest{Site: site, Collection: s.root.previous().Collection}
	if site {
		next.Features = s.root.previous().Features
	}
	return next
}
