package overlay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func node(text string) *Node {
	switch text {
	case "":
		return nil
	case "dir":
		return &Node{Other: "a directory"}
	case "lost":
		return &Node{Lost: true, Digest: digest("1\n2\n3\n")}
	}
	n := File(text)
	if text[0] == '>' {
		n = Link(text[1:])
	}
	return &n
}

func tree(text string) Tree {
	if n := node(text); n != nil {
		return Tree{"f": *n}
	}
	return Tree{}
}

func TestCompute(t *testing.T) {
	const v1, v2, edit, merged, clash = "1\n2\n3\n", "1\n2\n4\n", "0\n2\n3\n", "0\n2\n4\n", "1\n2\n5\n"
	for name, c := range map[string]struct {
		base, ours, theirs string
		settled            bool
		action             Action
		after, nextBase    string
	}{
		"new":                             {"", v1, "", false, Create, v1, v1},
		"was there, alike":                {"", v1, v1, false, Adopt, v1, v1},
		"was there, different":            {"", v1, edit, false, Conflict, edit, ""},
		"was there, a directory":          {"", v1, "dir", false, Conflict, "dir", ""},
		"nothing changed":                 {v1, v1, v1, false, Same, v1, v1},
		"changed by us":                   {v1, v2, v1, false, Update, v2, v2},
		"changed by the operator":         {v1, v1, edit, false, Keep, edit, v1},
		"changed by both, apart":          {v1, v2, edit, false, Merge, merged, v2},
		"changed by both, alike":          {v1, v2, v2, false, Adopt, v2, v2},
		"changed by both, in one line":    {v1, v2, clash, false, Conflict, clash, v1},
		"merged before":                   {v1, v2, merged, false, Keep, merged, v2},
		"settled":                         {v1, v2, clash, true, Keep, clash, v2},
		"settled, was there before":       {"", v2, clash, true, Keep, clash, v2},
		"deleted":                         {v1, v1, "", false, Gone, "", v1},
		"deleted, and changed by us":      {v1, v2, "", false, Gone, "", v1},
		"no longer shipped":               {v1, "", v1, false, Remove, "", ""},
		"no longer shipped, edited":       {v1, "", edit, false, Leave, edit, ""},
		"no longer shipped, deleted":      {v1, "", "", false, Same, "", ""},
		"copy lost, nothing changed":      {"lost", v1, v1, false, Adopt, v1, v1},
		"copy lost, changed by us":        {"lost", v2, v1, false, Update, v2, v2},
		"copy lost, edited":               {"lost", v1, edit, false, Keep, edit, v1},
		"copy lost, changed by both":      {"lost", v2, edit, false, Conflict, edit, "lost"},
		"copy lost, no longer shipped":    {"lost", "", v1, false, Remove, "", ""},
		"link new":                        {"", ">../a", "", false, Create, ">../a", ">../a"},
		"link changed by us":              {">../a", ">../b", ">../a", false, Update, ">../b", ">../b"},
		"link changed by both":            {">../a", ">../b", ">../c", false, Conflict, ">../c", ">../a"},
		"link in place of a file":         {v1, v2, ">f2", false, Conflict, ">f2", v1},
		"link in place of an old file":    {v1, v1, ">f2", false, Keep, ">f2", v1},
		"file with the text of the link":  {"", ">../a", "../a", false, Conflict, "../a", ""},
		"binary":                          {"1\n\x00\n3\n", "1\n\x00\n4\n", "0\n\x00\n3\n", false, Conflict, "0\n\x00\n3\n", "1\n\x00\n3\n"},
		"directory in place of an old fi": {v1, v2, "dir", false, Conflict, "dir", v1},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compute(tree(c.base), tree(c.ours), tree(c.theirs), map[string]bool{"f": c.settled})
			want := Change{Path: "f", Action: c.action, Before: node(c.theirs), After: node(c.after), Base: node(c.nextBase)}
			if c.action == Conflict {
				want.Offered, want.Why = node(c.ours), got[0].Why
				if want.Why == "" {
					t.Error("it is not said why")
				}
			}
			if diff := cmp.Diff([]Change{want}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever is there: what the operator wrote is written over only where it is
// what was shipped before, or goes into a merge.
func TestComputeOverwritesNoEdit(t *testing.T) {
	texts := []string{"", "1\n2\n3\n", "1\n2\n4\n", "0\n2\n3\n", ">x", ">y", "dir"}
	for _, b := range texts {
		for _, o := range texts {
			for _, h := range texts {
				if b == "dir" || o == "dir" || b == "" && o == "" {
					continue
				}
				c := Compute(tree(b), tree(o), tree(h), nil)[0]
				edited := h != "" && h != b && h != o
				if edited && c.Action.Writes() && c.Action != Merge {
					t.Errorf("base %q, ours %q, theirs %q: %s", b, o, h, c.Action)
				}
				if !c.Action.Writes() && c.After != nil && !c.After.same(*node(h)) {
					t.Errorf("base %q, ours %q, theirs %q: %s is said to write nothing", b, o, h, c.Action)
				}
			}
		}
	}
}
