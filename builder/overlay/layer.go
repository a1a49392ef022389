package overlay

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// layer is the root of a configuration, or one of its environments.
type layer struct {
	// dir is empty for the root.
	dir string
	// old is nil where there was none, next where there will be none.
	old, next *Manifest
	// changes have paths relative to dir. Those of the root include the
	// requirements.
	changes []Change
}

// previous is the manifest, empty where there was none.
func (l *layer) previous() Manifest {
	if l.old == nil {
		return Manifest{}
	}
	return *l.old
}

func (l *layer) record(elem ...string) string {
	return path.Join(append([]string{l.dir, Directory}, elem...)...)
}

// base is what was shipped before. A copy that is not what the manifest says
// counts as lost, unless a run was killed: then it is newer than the manifest.
func (l *layer) base(d Disk, ours, theirs Tree) (Tree, error) {
	m := l.previous()
	out := Tree{}
	for p, want := range m.Files {
		raw, err := d.ReadFile(l.record("base", p))
		n := File(string(raw))
		switch {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return nil, err
		case err != nil, m.State == "" && n.Digest != want:
			n = Node{Lost: true, Digest: want}
		}
		out[p] = n
	}
	for p, target := range m.Links {
		out[p] = Link(target)
	}
	for p, w := range m.Writing {
		switch t, ok := theirs[p]; {
		case !ok || t.Digest != w.Result: // it was killed before it came to this
		case ours[p].Digest == w.Shipped:
			out[p] = ours[p]
		case out[p].Digest != w.Shipped:
			out[p] = Node{Lost: true, Digest: w.Shipped, Link: t.Link}
		}
	}
	if m.State == removing {
		maps.DeleteFunc(out, func(p string, _ Node) bool { _, ok := theirs[p]; return !ok })
	}
	return out, nil
}

// theirs is what is there of all that the layer is or was about.
func (l *layer) theirs(d Disk, ours Tree) (Tree, error) {
	paths := map[string]bool{}
	m := l.previous()
	for p := range ours {
		paths[p] = true
	}
	for _, record := range []map[string]string{m.Files, m.Links} {
		for p := range record {
			paths[p] = true
		}
	}
	for p := range m.Writing {
		paths[p] = true
	}
	delete(paths, requirementsName)
	out := Tree{}
	var faults []error
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		n, err := look(d, path.Join(l.dir, p))
		if err != nil {
			faults = append(faults, err)
		} else if n != nil {
			out[p] = *n
		}
	}
	return out, errors.Join(faults...)
}

// settled are the conflicts about what is shipped now with which the operator
// has dealt: who deletes what was offered has taken of it what is wanted.
func (l *layer) settled(d Disk, ours Tree) (map[string]bool, error) {
	out := map[string]bool{}
	for p, offered := range l.previous().Conflicts {
		_, err := d.Lstat(l.record("new", p))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out[p] = err != nil && (ours[p].Digest == offered || p == requirementsName)
	}
	return out, nil
}

// compute fills in the changes and the next manifest. No site means that the
// layer is taken away.
func (l *layer) compute(d Disk, ours Tree, next *Manifest) error {
	theirs, err := l.theirs(d, ours)
	if err != nil {
		return err
	}
	base, err := l.base(d, ours, theirs)
	if err != nil {
		return err
	}
	settled, err := l.settled(d, ours)
	if err != nil {
		return err
	}
	l.changes, l.next = Compute(base, ours, theirs, settled), next
	return nil
}

// finish fills the next manifest from the changes.
func (l *layer) finish(d Disk) error {
	if l.next == nil {
		return nil
	}
	m := l.next
	m.Files, m.Links, m.Conflicts = map[string]string{}, map[string]string{}, map[string]string{}
	dirs := map[string]bool{}
	for _, dir := range l.previous().Directories {
		dirs[dir] = true
	}
	for _, c := range l.changes {
		if c.Action == Create {
			made, err := missing(d, path.Join(l.dir, c.Path))
			if err != nil {
				return err
			}
			for _, dir := range made {
				dirs[strings.TrimPrefix(dir, l.dir+"/")] = true
			}
		}
		if c.Offered != nil {
			m.Conflicts[c.Path] = c.Offered.Digest
		}
		switch {
		case c.Base == nil:
		case c.Base.Link:
			m.Links[c.Path] = c.Base.Text
		default:
			m.Files[c.Path] = c.Base.Digest
		}
	}
	m.Directories = slices.Sorted(maps.Keys(dirs))
	return nil
}

// journal is the manifest while the changes are being written.
func (l *layer) journal() Manifest {
	m := l.previous()
	if l.next == nil {
		m.State = removing
		return m
	}
	m.Version, m.Ibforge, m.State = manifestVersion, l.next.Ibforge, installing
	m.Directories = l.next.Directories
	m.Site, m.Collection = m.Site || l.next.Site, m.Collection || l.next.Collection
	m.WritingRequirements = l.next.Requirements
	m.Writing = maps.Clone(m.Writing)
	if m.Writing == nil {
		m.Writing = map[string]Written{}
	}
	for _, c := range l.changes {
		if c.Base != nil && c.After != nil && c.Action.Writes() {
			m.Writing[c.Path] = Written{Shipped: c.Base.Digest, Result: c.After.Digest}
		}
	}
	return m
}

// insertion is what is in the requirements of ours, if a killed run came to it.
func (m Manifest) insertion(d Disk) *Insertion {
	raw, err := d.ReadFile(requirementsName)
	there := func(i *Insertion) bool { return i != nil && err == nil && strings.Contains(string(raw), i.Text) }
	switch {
	case m.State == installing && there(m.WritingRequirements):
		return m.WritingRequirements
	case m.State == removing && !there(m.Requirements):
		return nil
	}
	return m.Requirements
}
