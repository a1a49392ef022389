package overlay

import (
	"maps"
	"slices"

	"github.com/ibforge/ibforge/builder/overlay/text"
)

// Action is what is done, or was found, about one path.
type Action string

// The actions. Those from Adopt on write no file of the configuration.
const (
	Create Action = "create" // is new
	Update Action = "update" // nobody edited it, and this release has another
	Merge  Action = "merge"  // edited here and changed by this release, in different lines
	Remove Action = "remove" // nobody edited it, and this release has none

	Adopt    Action = "adopt"    // is there already as this release has it, and is ours from now on
	Same     Action = "same"     // is as this release has it
	Keep     Action = "keep"     // edited here; this release changed nothing of it
	Gone     Action = "gone"     // was deleted here, and stays deleted
	Leave    Action = "leave"    // edited here, and this release has none: is the operator's from now on
	Conflict Action = "conflict" // edited here and changed by this release, in the same lines
)

// Writes tells whether the action changes the configuration.
func (a Action) Writes() bool { return slices.Contains([]Action{Create, Update, Merge, Remove}, a) }

// Change is one path and what becomes of it.
type Change struct {
	// Path is relative to the layer, and after a plan is made to the
	// configuration.
	Path   string
	Action Action
	// Before is what is there, After what will be; nil where there is nothing.
	Before, After *Node
	// Base is what later installs merge against; nil for none.
	Base *Node
	// Offered is what a conflict is about.
	Offered *Node
	// Why says more of a conflict.
	Why string
	// New is where what is offered lies after Apply.
	New string
}

// Compute decides what to do about each path from what was shipped before
// (base), what is shipped now (ours) and what is there (theirs). settled are the
// paths at which the operator has dealt with a conflict about ours.
func Compute(base, ours, theirs Tree, settled map[string]bool) []Change {
	paths := map[string]bool{}
	for _, tree := range []Tree{base, ours} {
		for path := range tree {
			paths[path] = true
		}
	}
	out := make([]Change, 0, len(paths))
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		b, o, t := at(base, path), at(ours, path), at(theirs, path)
		if settled[path] && !equal(o, t) {
			b = o
		}
		c := decide(b, o, t)
		c.Path, c.Before = path, t
		out = append(out, c)
	}
	return out
}

func at(tree Tree, path string) *Node {
	if n, ok := tree[path]; ok {
		return &n
	}
	return nil
}

// equal tells whether both are there and alike.
func equal(a, b *Node) bool { return a != nil && b != nil && a.same(*b) }

func decide(b, o, t *Node) Change {
	switch {
	case o == nil && t == nil:
		return Change{Action: Same}
	case o == nil && equal(b, t):
		return Change{Action: Remove}
	case o == nil:
		return Change{Action: Leave, After: t}
	case equal(o, t) && equal(b, o) && !b.Lost:
		return Change{Action: Same, After: t, Base: o}
	case equal(o, t):
		return Change{Action: Adopt, After: t, Base: o}
	case b == nil && t == nil:
		return Change{Action: Create, After: o, Base: o}
	case t == nil:
		// The base stays as it is: if the file comes back out of version
		// control, it is as old as that.
		return Change{Action: Gone, Base: b}
	case equal(b, t):
		return Change{Action: Update, After: o, Base: o}
	case equal(b, o):
		return Change{Action: Keep, After: t, Base: o}
	}
	return merge(b, o, t)
}

// merge is for what all three have differently, or what was there before us.
func merge(b, o, t *Node) Change {
	conflict := Change{Action: Conflict, After: t, Base: b, Offered: o}
	switch {
	case t.Other != "":
		conflict.Why = "there is " + t.Other
	case b == nil:
		conflict.Why = "it was there before, with another content"
	case t.Link != o.Link:
		conflict.Why = "one is a link and the other a file"
	case b.Lost:
		conflict.Why = "both were changed, and the copy of what was shipped before is lost"
	case !b.text() || !o.text() || !t.text():
		conflict.Why = "both were changed, and it has no lines to merge"
	default:
		merged, ok := text.Merge(b.Text, t.Text, o.Text)
		if !ok {
			conflict.Why = "the same lines were changed here and in this release"
			return conflict
		}
		after := File(merged)
		if after.same(*t) {
			return Change{Action: Keep, After: t, Base: o}
		}
		return Change{Action: Merge, After: &after, Base: o}
	}
	return conflict
}
