package overlay

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// Conflicts are the changes that wait for a person.
func (p *Plan) Conflicts() []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return c.Action != Conflict })
}

// Pending tells whether [Plan.Apply] has anything to write.
func (p *Plan) Pending(d Disk) (bool, error) {
	for _, c := range p.Changes {
		if c.Action.Writes() || c.Action == Adopt {
			return true, nil
		}
	}
	for _, l := range p.layers {
		stale, err := l.stale(d)
		if err != nil || stale {
			return stale, err
		}
	}
	return false, nil
}

// stale tells whether the manifest on the disk is not the next one.
func (l *layer) stale(d Disk) (bool, error) {
	raw, err := d.ReadFile(manifestName(l.dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if l.next == nil {
		return err == nil, nil
	}
	want, encodeErr := l.next.encode()
	return want != string(raw), encodeErr
}

// Apply carries the plan out. Whenever it is cut off, the same once more ends as
// if it had not been: manifests are the last to be written.
func (p *Plan) Apply(d Disk) error {
	if pending, err := p.Pending(d); err != nil || !pending {
		return errors.Join(err, p.leftovers(d))
	}
	if err := d.RemoveAll(scratch); err != nil {
		return err
	}
	steps := []func(Disk) error{}
	// An environment comes first: its manifest is what remove asks for.
	for _, l := range slices.Backward(p.layers) {
		steps = append(steps, l.begin)
	}
	steps = append(steps, p.writeCollection)
	for _, l := range p.layers {
		steps = append(steps, l.write, l.keep, l.prune)
	}
	for _, l := range p.layers {
		steps = append(steps, l.end)
	}
	for _, step := range steps {
		if err := step(d); err != nil {
			return fmt.Errorf("%w; nothing is lost: run it again when that is cured", err)
		}
	}
	return p.sweep(d)
}

// sweep takes away the scratch directory, and the records where nothing is
// recorded any more.
func (p *Plan) sweep(d Disk) error {
	if err := d.RemoveAll(scratch); err != nil {
		return err
	}
	if p.root != nil && p.root.next == nil {
		return remove(d, Directory)
	}
	return nil
}

// leftovers are those of a run that was killed at its very end.
func (p *Plan) leftovers(d Disk) error {
	if _, err := d.Lstat(scratch); err == nil {
		if err := d.RemoveAll(scratch); err != nil {
			return err
		}
	}
	for _, l := range []*layer{p.root, p.target} {
		if l == nil || l.old != nil || l.next != nil {
			continue
		}
		if entries, err := fs.ReadDir(d.FS(), l.record()); err == nil && len(entries) == 0 {
			if err := remove(d, l.record()); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin writes down what is about to happen.
func (l *layer) begin(d Disk) error {
	if l.next == nil && l.old == nil {
		return nil
	}
	text, err := l.journal().encode()
	if err != nil {
		return err
	}
	return put(d, manifestName(l.dir), File(text))
}

func (l *layer) write(d Disk) error {
	for _, c := range l.changes {
		name := path.Join(l.dir, c.Path)
		switch {
		case !c.Action.Writes():
		case c.After == nil:
			if err := remove(d, name); err != nil {
				return err
			}
		default:
			if err := put(d, name, *c.After); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep brings the copies up to date: of what is shipped, and of what is to be
// merged by hand.
func (l *layer) keep(d Disk) error {
	if l.next == nil {
		return errors.Join(d.RemoveAll(l.record("base")), d.RemoveAll(l.record("new")))
	}
	for _, c := range l.changes {
		copies := map[string]*Node{l.record("base", c.Path): c.Base, l.record("new", c.Path): c.Offered}
		if c.Base != nil && (c.Base.Link || c.Base.Lost) {
			delete(copies, l.record("base", c.Path))
		}
		for name, n := range copies {
			there, err := look(d, name)
			switch {
			case err != nil:
				return err
			case n == nil && there == nil, n != nil && equal(there, n):
			case n == nil:
				err = remove(d, name)
			default:
				err = put(d, name, *n)
			}
			if err != nil {
				return err
			}
		}
	}
	if len(l.next.Conflicts) == 0 {
		return d.RemoveAll(l.record("new"))
	}
	return nil
}

// prune takes away the directories that were made here and are empty now.
func (l *layer) prune(d Disk) error {
	dirs := l.previous().Directories
	var kept []string
	for _, dir := range slices.Backward(slices.Sorted(slices.Values(dirs))) {
		entries, err := fs.ReadDir(d.FS(), path.Join(l.dir, dir))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case len(entries) > 0:
			kept = append(kept, dir)
		default:
			if err := remove(d, path.Join(l.dir, dir)); err != nil {
				return err
			}
		}
	}
	if l.next != nil {
		l.next.Directories = slices.DeleteFunc(l.next.Directories, func(dir string) bool {
			return slices.Contains(dirs, dir) && !slices.Contains(kept, dir)
		})
	}
	return nil
}

// end writes the manifest, or takes the records away.
func (l *layer) end(d Disk) error {
	if l.next == nil {
		if err := remove(d, manifestName(l.dir)); err != nil || l.dir == "" {
			return err
		}
		return remove(d, l.record())
	}
	text, err := l.next.encode()
	if err != nil {
		return err
	}
	return put(d, manifestName(l.dir), File(text))
}

// writeCollection writes the directory, or takes it away by one rename.
func (p *Plan) writeCollection(d Disk) error {
	switch p.collection.Action {
	case Create, Update:
		return p.shipped.write(d)
	case Remove:
		gone := path.Join(scratch, "before")
		if err := mkdirs(d, gone); err != nil {
			return err
		}
		return d.Rename(CollectionDir, gone)
	default:
		return nil
	}
}
