package text

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		base, a, b, want string
		overlap          bool
	}{
		"nothing":               {base: "1\n", a: "1\n", b: "1\n", want: "1\n"},
		"only one":              {base: "1\n2\n", a: "1\n2\n", b: "1\n3\n", want: "1\n3\n"},
		"only the other":        {base: "1\n2\n", a: "0\n1\n2\n", b: "1\n2\n", want: "0\n1\n2\n"},
		"both alike":            {base: "1\n2\n", a: "1\n3\n", b: "1\n3\n", want: "1\n3\n"},
		"apart":                 {base: "1\n2\n3\n", a: "0\n2\n3\n", b: "1\n2\n4\n", want: "0\n2\n4\n"},
		"one line":              {base: "1\n2\n3\n", a: "1\nx\n3\n", b: "1\ny\n3\n", overlap: true},
		"neighbours":            {base: "1\n2\n", a: "x\n2\n", b: "1\ny\n", overlap: true},
		"inserted at one place": {base: "1\n2\n", a: "1\na\n2\n", b: "1\nb\n2\n", overlap: true},
		"removed and changed":   {base: "1\n2\n3\n", a: "1\n3\n", b: "1\nx\n3\n", overlap: true},
		"from nothing":          {a: "1\n", b: "2\n", overlap: true},
		"last newline":          {base: "1\n2\n3", a: "0\n2\n3", b: "1\n2\n3\n", want: "0\n2\n3\n"},
		"last newline in both":  {base: "1\n2", a: "1\n2\n", b: "1\n3", overlap: true},
		"carriage returns":      {base: "1\r\n2\r\n3\r\n", a: "0\r\n2\r\n3\r\n", b: "1\r\n2\r\n4\r\n", want: "0\r\n2\r\n4\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := Merge(c.base, c.a, c.b)
			if ok == c.overlap || got != c.want {
				t.Errorf("got %q, %v; want %q, overlap %v", got, ok, c.want, c.overlap)
			}
		})
	}
}

// edited makes some random changes.
func edited(r *rand.Rand, s string) string {
	l := lines(s)
	for range r.IntN(4) {
		at := r.IntN(len(l) + 1)
		switch n := r.IntN(3); {
		case n == 0:
			l = append(l[:at:at], append([]string{letter(r)}, l[at:]...)...)
		case at == len(l):
		case n == 1:
			l = append(l[:at:at], l[at+1:]...)
		default:
			l = append(l[:at:at], append([]string{letter(r)}, l[at+1:]...)...)
		}
	}
	return strings.Join(l, "")
}

// letter is from few, so that lines repeat as empty ones do in real files.
func letter(r *rand.Rand) string { return string("abcdef"[r.IntN(6)]) + "\n" }

func TestMergeProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same texts each time
	merged, overlaps := 0, 0
	for range 20000 {
		var base string
		for range r.IntN(12) {
			base += letter(r)
		}
		a, b := edited(r, base), edited(r, base)
		for _, c := range [][4]string{{base, base, b, b}, {base, a, base, a}, {base, a, a, a}} {
			if got, ok := Merge(c[0], c[1], c[2]); !ok || got != c[3] {
				t.Fatalf("Merge(%q, %q, %q) is %q, %v; want %q", c[0], c[1], c[2], got, ok, c[3])
			}
		}
		x, okX := Merge(base, a, b)
		y, okY := Merge(base, b, a)
		if okX != okY || x != y {
			t.Fatalf("Merge(%q, %q, %q) depends on the order: %q, %v and %q, %v", base, a, b, x, okX, y, okY)
		}
		if !okX {
			overlaps++
			continue
		}
		merged++
		for _, line := range lines(x) {
			if !strings.Contains(a, line) && !strings.Contains(b, line) {
				t.Fatalf("Merge(%q, %q, %q) is %q, with a line that nobody wrote", base, a, b, x)
			}
		}
	}
	if merged < 5000 || overlaps < 1000 {
		t.Errorf("%d merged and %d overlapped: too few to show anything", merged, overlaps)
	}
}

// What is printed is applied by git, whatever the texts.
func TestUnifiedIsWhatGitTakes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same texts each time
	for i := range 60 {
		base := strings.Repeat(letter(r), 1+r.IntN(9)) + letter(r) + letter(r) + strings.Repeat(letter(r), r.IntN(9))
		next := edited(r, base)
		if i%3 == 0 {
			next = strings.TrimSuffix(next, "\n")
		}
		if i%4 == 0 {
			base = strings.TrimSuffix(base, "\n")
		}
		if next == "" || base == next {
			continue
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "f")
		if err := os.WriteFile(file, []byte(base), 0o600); err != nil {
			t.Fatal(err)
		}
		patch := "diff --git a/f b/f\n--- a/f\n+++ b/f\n" + Unified(base, next)
		git := exec.CommandContext(t.Context(), "git", "apply", "-")
		git.Dir, git.Stdin = dir, strings.NewReader(patch)
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s\nfrom %q to %q:\n%s", err, out, base, next, patch)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != next {
			t.Fatalf("git makes %q, want %q:\n%s", got, next, patch)
		}
	}
}

func TestUnifiedOfEquals(t *testing.T) {
	if got := Unified("a\n", "a\n"); got != "" {
		t.Errorf("got %q", got)
	}
}
