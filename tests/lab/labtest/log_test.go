package labtest

import "testing"

func TestLastLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		most       int
		want       string
	}{
		{"nothing", "", 2, ""},
		{"all of it", "a\nb\n", 2, "a\nb"},
		{"the end", "a\nb\nc", 2, "(1 lines before)\nb\nc"},
		{"equal neighbours", "a\nb\nb\nb\nc\nb\n", 4, "a\nb (3 times)\nc\nb"},
		{"equal at the end", "a\nb\nb\n", 2, "a\nb (2 times)"},
	} {
		if got := lastLines(c.text, c.most); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
