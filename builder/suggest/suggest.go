// Package suggest finds the name that was most likely meant by one that nobody
// knows. It imports nothing of ibforge.
package suggest

import (
	"fmt"
	"slices"
	"strings"
)

// DidYouMean is " Did you mean …?" with the candidate that is nearest to the
// given name, or empty when none is near. Case does not count as a difference.
func DidYouMean(given string, candidates []string) string {
	if name := Nearest(given, candidates); name != "" {
		return fmt.Sprintf(" Did you mean %q?", name)
	}
	return ""
}

// Nearest is the candidate that is near to the given name, or empty. Case does not
// count as a difference, and of two the first in the alphabet is taken.
func Nearest(given string, candidates []string) string {
	best, bestDistance := "", 3 // hcl's own limit: two edits are a typo, three another word
	for _, name := range slices.Sorted(slices.Values(candidates)) {
		d := distance(strings.ToLower(given), strings.ToLower(name))
		if d < bestDistance && 2*d <= min(len(name), len(given)) {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) > 2 || len(t)-len(s) > 2 {
		return 3 // already too far; spares the table for long values
	}
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}
