package overlay

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Options say what is wanted.
type Options struct {
	// Environment of Kayobe; empty for the root of the configuration.
	Environment string
	// Features are added to those that the manifest remembers, Without are taken
	// away.
	Features, Without []string
	// Collection has the collection written out of the program, so that nobody
	// needs Galaxy. The manifest remembers it.
	Collection bool

	Source  Source
	Shipped Collection
	// Writable tells why nothing can be written into a directory of the
	// configuration; nil asks nobody.
	Writable func(dir string) error
}

// Plan is what is to be done to a configuration. Nothing is written before all
// of it is known.
type Plan struct {
	// Changes of all layers by path, relative to the configuration.
	Changes []Change
	// Features that the layer in question has afterwards.
	Features []string
	// Notes are what else there is to say.
	Notes []string

	root       *layer
	target     *layer
	layers     []*layer
	collection Change
	shipped    Collection
}

// UsageError is about the options, and not about the configuration.
type UsageError struct{ error }

// Unwrap gives the fault itself.
func (e *UsageError) Unwrap() error { return e.error }

// Install plans to bring what is shipped into the configuration. All faults are
// told at once.
func Install(d Disk, o Options) (*Plan, error) {
	s, err := open(d, o)
	faults := []error{err}
	if s.target == nil {
		return nil, err
	}
	features, err := o.Source.choose(s.target.previous().Features, o.Features, o.Without)
	if err != nil {
		faults = append(faults, &UsageError{err})
	}
	layers := []string{""}
	if s.target.dir != "" {
		layers = append(layers, s.target.dir)
	}
	faults = append(faults, opensmEnabled(d, layers)...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	p := &Plan{Features: features, root: s.root, target: s.target, shipped: o.Shipped}
	hadSite := s.root.previous().Site
	rootNext := &Manifest{Site: hadSite || s.target == s.root, Features: s.root.previous().Features, Collection: o.Collection || s.root.previous().Collection}
	if s.target == s.root {
		rootNext.Features = features
	}
	faults = append(faults, s.computeRoot(p, rootNext, features))
	if s.target != s.root {
		faults = append(faults, s.computeEnvironment(p, rootNext, features))
	} else if others := s.others(); len(others) > 0 && !hadSite {
		p.Notes = append(p.Notes, fmt.Sprintf("the whole configuration has the files now; run install with --environment %s too, which takes out there what would be read twice", strings.Join(others, ", and with --environment ")))
	}
	faults = append(faults, p.finish(s))
	return p, errors.Join(faults...)
}

// computeRoot plans the root; next is nil where it is taken away.
func (s *scene) computeRoot(p *Plan, next *Manifest, features []string) error {
	ours := Tree{}
	if next != nil {
		all := slices.Concat(next.Features, features)
		for _, name := range s.others() {
			all = append(all, s.byName[name].old.Features...)
		}
		ours = s.o.Source.shared(all)
		if next.Site {
			maps.Copy(ours, s.o.Source.site("", next.Features))
		}
	}
	p.layers = append(p.layers, s.root)
	if err := s.root.compute(s.disk, ours, next); err != nil {
		return err
	}
	want := next != nil && !next.Collection
	c, ins, err := requirements(s.disk, s.root.previous().insertion(s.disk), want, s.version)
	if err != nil {
		return err
	}
	if settled, err := s.root.settled(s.disk, ours); err != nil {
		return err
	} else if c.Action == Conflict && settled[requirementsName] {
		c.Action, c.Offered = Keep, nil
	}
	s.root.changes = append(s.root.changes, c)
	if next != nil {
		next.Requirements = ins
	}
	p.collection, err = s.o.Shipped.change(s.disk, s.root.previous().Collection, next != nil && next.Collection)
	return err
}

// computeEnvironment plans an environment: what the root has for all of them is
// not there a second time, because Kayobe joins the two.
func (s *scene) computeEnvironment(p *Plan, root *Manifest, features []string) error {
	ours := s.o.Source.site(s.target.dir, features)
	if root.Site {
		for path := range s.o.Source.site("", root.Features) {
			delete(ours, path)
		}
		if len(ours) == 0 {
			p.Notes = append(p.Notes, "the root of the configuration has all of it already, for every environment")
			if s.target.old == nil {
				return nil
			}
		}
	}
	p.layers = append(p.layers, s.target)
	return s.target.compute(s.disk, ours, &Manifest{Site: true, Features: features})
}

// Uninstall plans to take out what was not edited.
func Uninstall(d Disk, o Options) (*Plan, error) {
	s, err := open(d, o)
	if err != nil {
		return nil, err
	}
	p := &Plan{root: s.root, target: s.target, shipped: o.Shipped}
	old := s.target.previous()
	if s.target.old == nil || s.target == s.root && !old.Site && old.State == "" {
		p.Notes = append(p.Notes, "there is nothing of ibforge"+s.where())
		if others := s.others(); s.target == s.root && len(others) > 0 {
			p.Notes[0] += ", but for environments: give --environment " + strings.Join(others, " or ")
		}
		return p, nil
	}
	others := s.others()
	next := s.rootWithout(others, s.target != s.root && s.root.previous().Site)
	if next != nil && !next.Site {
		p.Notes = append(p.Notes, "ansible/ stays for the environments "+strings.Join(others, ", "))
	}
	// The manifest of the environment is the last to go: whoever runs this again
	// after a kill is told by it that there is something left.
	faults := []error{s.computeRoot(p, next, nil)}
	if s.target != s.root {
		p.layers = append(p.layers, s.target)
		faults = append(faults, s.target.compute(d, Tree{}, nil))
	}
	return p, errors.Join(append(faults, p.finish(s))...)
}

// finish gathers the changes, and looks whether they can be written.
func (p *Plan) finish(s *scene) error {
	var faults []error
	for _, l := range p.layers {
		if l.next != nil {
			l.next.Version, l.next.Ibforge = manifestVersion, s.version
			faults = append(faults, l.finish(s.disk))
		}
		for _, c := range l.changes {
			if c.Offered != nil {
				c.New = l.record("new", c.Path)
			}
			c.Path = path.Join(l.dir, c.Path)
			p.Changes = append(p.Changes, c)
		}
	}
	if p.collection.Action == Create && s.root.next != nil {
		made, err := missing(s.disk, CollectionDir)
		faults = append(faults, err)
		s.root.next.Directories = slices.Compact(slices.Sorted(slices.Values(append(s.root.next.Directories, made...))))
	}
	if p.collection.Path != "" {
		p.Changes = append(p.Changes, p.collection)
	}
	slices.SortFunc(p.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	if err := errors.Join(faults...); err != nil {
		return err
	}
	pending, err := p.Pending(s.disk)
	if err != nil || !pending || s.o.Writable == nil {
		return err
	}
	return p.writable(s)
}

// writable asks for each directory in which a name comes or goes.
func (p *Plan) writable(s *scene) error {
	dirs := map[string]bool{".": true}
	for _, l := range p.layers {
		if l.dir != "" {
			dirs[l.dir] = true
		}
	}
	for _, c := range p.Changes {
		if !c.Action.Writes() {
			continue
		}
		dir := path.Dir(c.Path)
		if gone, err := missing(s.disk, c.Path); err != nil {
			return err
		} else if len(gone) > 0 {
			dir = path.Dir(gone[0])
		}
		dirs[dir] = true
	}
	var faults []error
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		faults = append(faults, s.o.Writable(dir))
	}
	return errors.Join(faults...)
}
