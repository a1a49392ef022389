package verify

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// WriteText writes the report as an aligned table for people. With color the
// status has ANSI colors; whether w is a terminal is the caller's knowledge.
func (r Report) WriteText(w io.Writer, color bool) error {
	var b bytes.Buffer
	name := r.Image
	if r.Reference != "" {
		name += " (" + r.Reference + ")"
	}
	fmt.Fprintf(&b, "image   %s\n        %s\n", name, r.ID)
	if e := r.Engine; e.Version != "" {
		fmt.Fprintf(&b, "engine  %s, API %s, cgroup v%s (%s)\n        %s\n", e.Version, e.APIVersion, e.CgroupVersion, e.CgroupDriver, e.Endpoint)
	}
	writeList(&b, "beyond the contract:", r.Additions)
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.ID))
	}
	b.WriteString("\n")
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s  %-*s  %s\n", paint(c.Status, color), width, c.ID, c.Title)
		if c.Detail == "" {
			continue
		}
		for line := range strings.SplitSeq(strings.TrimRight(c.Detail, "\n"), "\n") {
			fmt.Fprintf(&b, "%s\n", strings.TrimRight(strings.Repeat(" ", 4+2+width+2)+line, " "))
		}
	}
	fmt.Fprintf(&b, "\n%d checks: %d passed, %d failed, %d skipped\n", len(r.Checks), r.count(Pass), r.count(Fail), r.count(Skip))
	if r.Aborted != "" {
		fmt.Fprintf(&b, "not carried out to the end: %s\n", r.Aborted)
	}
	writeList(&b, "kept; to remove it:", r.Kept)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func writeList(b *bytes.Buffer, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "%s\n", title)
	for _, item := range items {
		fmt.Fprintf(b, "  %s\n", item)
	}
}

func paint(s Status, color bool) string {
	code := map[Status]string{Pass: "32", Fail: "1;31", Skip: "33"}[s]
	if !color || code == "" {
		return fmt.Sprintf("%-4s", string(s))
	}
	return "\x1b[" + code + "m" + string(s) + "\x1b[0m"
}

// legible makes a container's output fit to be shown: an image must not be
// able to move the cursor or to retitle the window of who verifies it. Of long
// texts the end is kept, where the reason stands.
func legible(text string) string {
	const maxLines = 40
	text = controlSequence.ReplaceAllString(text, "")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			return r
		case r == '\r':
			return -1
		}
		return '\uFFFD'
	}, text)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if n := len(lines) - maxLines; n > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines left out)", n)}, lines[n:]...)
	}
	return strings.Join(lines, "\n")
}

// controlSequence matches ECMA-48 control sequences (5.4): CSI, parameter
// bytes, intermediate bytes, final byte.
var controlSequence = regexp.MustCompile(`\x1b\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]`)
