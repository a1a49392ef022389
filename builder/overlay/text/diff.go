// Package text compares and merges texts line by line, as diff and diff3 do.
// The matching of lines is go-difflib's.
package text

import (
	"fmt"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// lines keeps the newline at the end of each line, so that a last line without
// one differs from the same line with it.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	out := strings.SplitAfter(s, "\n")
	if out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// matcher leaves difflib's heuristic for texts above 200 lines off: it takes
// lines that are frequent, such as empty ones, for noise and matches worse.
func matcher(a, b []string) *difflib.SequenceMatcher {
	return difflib.NewMatcherWithJunk(a, b, false, nil)
}

// Unified is the hunks of a unified diff from a to b with three lines of
// context, empty when they are equal. A last line without a newline is marked
// as git marks it.
func Unified(a, b string) string {
	if a == b {
		return ""
	}
	la, lb := lines(a), lines(b)
	var out strings.Builder
	for _, group := range matcher(la, lb).GetGroupedOpCodes(3) {
		first, last := group[0], group[len(group)-1]
		fmt.Fprintf(&out, "@@ -%s +%s @@\n", span(first.I1, last.I2), span(first.J1, last.J2))
		for _, op := range group {
			if op.Tag == 'e' {
				put(&out, " ", la[op.I1:op.I2])
				continue
			}
			put(&out, "-", la[op.I1:op.I2])
			put(&out, "+", lb[op.J1:op.J2])
		}
	}
	return out.String()
}

func put(out *strings.Builder, mark string, text []string) {
	for _, line := range text {
		out.WriteString(mark + line)
		if !strings.HasSuffix(line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// span is "first,count" as POSIX has it for diff -u: a range of one line has no
// count, and an empty one starts at the line before it.
func span(from, to int) string {
	switch n := to - from; n {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	default:
		return fmt.Sprintf("%d,%d", from+1, n)
	}
}
