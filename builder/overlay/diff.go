package overlay

import (
	"fmt"
	"strings"

	"github.com/ibforge/ibforge/builder/overlay/text"
)

// Diff is the change as git diff prints it, and as git apply takes it; empty
// where no file changes. The collection is one line: it is hundreds of files.
func (c Change) Diff() string {
	if !c.Action.Writes() || c.Path == CollectionDir {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "diff --git a/%s b/%s\n", c.Path, c.Path)
	from, to := "a/"+c.Path, "b/"+c.Path
	var before, after string
	switch {
	case c.Before == nil:
		fmt.Fprintf(&b, "new file mode %s\n", c.After.mode())
		from = "/dev/null"
	case c.After == nil:
		fmt.Fprintf(&b, "deleted file mode %s\n", c.Before.mode())
		to = "/dev/null"
	}
	if c.Before != nil {
		before = c.Before.Text
	}
	if c.After != nil {
		after = c.After.Text
	}
	if before != after { // an empty file has no hunk
		fmt.Fprintf(&b, "--- %s\n+++ %s\n%s", from, to, text.Unified(before, after))
	}
	return b.String()
}

// mode is git's.
func (n Node) mode() string {
	if n.Link {
		return "120000"
	}
	return "100644"
}

// Summary says in a line what is done, "nothing to do" where nothing is.
func (p *Plan) Summary() string {
	counts := map[Action]int{}
	for _, c := range p.Changes {
		counts[c.Action]++
	}
	var parts []string
	for _, part := range []struct {
		action Action
		words  string
	}{
		{Create, "created"},
		{Update, "updated"},
		{Merge, "merged"},
		{Remove, "removed"},
		{Adopt, "adopted"},
		{Conflict, "to be merged by hand"},
		{Keep, "kept as edited"},
		{Leave, "left, because edited"},
		{Gone, "deleted here before"},
	} {
		if n := counts[part.action]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, part.words))
		}
	}
	if counts[Create]+counts[Update]+counts[Merge]+counts[Remove]+counts[Adopt]+counts[Conflict] == 0 {
		parts = append([]string{"nothing to do"}, parts...)
	}
	return strings.Join(parts, ", ")
}
