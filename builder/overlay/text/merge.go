package text

import (
	"slices"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// region is where base, a and b agree: the same lines in all three.
type region struct{ base, a, b, length int }

// Merge applies to a what changed from base to b. It is false when both
// changed the same lines, or lines beside one another, in different ways: then
// only a person can tell what is meant, and there is no text.
//
// The algorithm is that of diff3, see "A Formal Investigation of Diff3" by
// Khanna, Kunal and Pierce: what lies between two regions in which all agree is
// taken from the side that changed it.
func Merge(base, a, b string) (merged string, ok bool) {
	lbase, la, lb := lines(base), lines(a), lines(b)
	var out strings.Builder
	var done region
	for _, r := range agreed(lbase, la, lb) {
		was, ours, theirs := lbase[done.base:r.base], la[done.a:r.a], lb[done.b:r.b]
		switch {
		case slices.Equal(ours, theirs), slices.Equal(was, theirs):
			write(&out, ours)
		case slices.Equal(was, ours):
			write(&out, theirs)
		default:
			return "", false
		}
		write(&out, lbase[r.base:r.base+r.length])
		done = region{base: r.base + r.length, a: r.a + r.length, b: r.b + r.length}
	}
	return out.String(), true
}

func write(out *strings.Builder, text []string) {
	for _, line := range text {
		out.WriteString(line)
	}
}

// agreed are the regions in their order; the last is empty and at the end.
func agreed(base, a, b []string) []region {
	inA, inB := matcher(base, a).GetMatchingBlocks(), matcher(base, b).GetMatchingBlocks()
	var out []region
	for len(inA) > 0 && len(inB) > 0 {
		x, y := inA[0], inB[0]
		from, to := max(x.A, y.A), min(end(x), end(y))
		if from < to {
			out = append(out, region{base: from, a: x.B + from - x.A, b: y.B + from - y.A, length: to - from})
		}
		if end(x) < end(y) {
			inA = inA[1:]
		} else {
			inB = inB[1:]
		}
	}
	return append(out, region{base: len(base), a: len(a), b: len(b)})
}

func end(m difflib.Match) int { return m.A + m.Size }
