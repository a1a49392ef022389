package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

// progress shows a build: one line for each step. On a terminal the line
// stands there while the step runs; elsewhere it is written when it is done.
type progress struct {
	w               io.Writer
	quiet, terminal bool
	verbose         bool
}

func newProgress(g *globals) *progress {
	// With -v the steps' own output would run into an open line.
	return &progress{w: g.Stderr, quiet: g.quiet, terminal: g.terminal(g.Stderr) && !g.verbose, verbose: g.verbose}
}

func line(img plan.Image, step plan.Step, n, total int) string {
	s := fmt.Sprintf("%-14s %d/%d %s", img.Name, n, total, step.Summary)
	if r := []rune(s); len(r) > 66 {
		s = string(r[:65]) + "…"
	}
	return fmt.Sprintf("%-66s", s)
}

// StepStart implements engine.Progress.
func (p *progress) StepStart(img plan.Image, step plan.Step, n, total int) {
	if p.terminal && !p.quiet {
		fmt.Fprint(p.w, line(img, step, n, total), "\r")
	}
}

// StepDone implements engine.Progress.
func (p *progress) StepDone(img plan.Image, step plan.Step, cached bool, took time.Duration, output []byte, err error) {
	n := 0
	for i, s := range img.Steps {
		if s.Key == step.Key {
			n = i + 1
		}
	}
	state := fmt.Sprintf("%6.1fs", took.Seconds())
	switch {
	case err != nil:
		state = " failed"
	case cached:
		state = " cached"
	}
	if !p.quiet {
		fmt.Fprintln(p.w, line(img, step, n, len(img.Steps))+" "+state)
	}
	// Diagnostics hold what matters of the output already.
	var diags hcl.Diagnostics
	if err != nil && !p.verbose && !errors.As(err, &diags) {
		p.tail(output)
	}
}

// tail shows the end of what a failed step printed.
func (p *progress) tail(output []byte) {
	const most = 40
	lines := bytes.Split(bytes.TrimRight(output, "\n"), []byte("\n"))
	if len(lines) > most {
		fmt.Fprintf(p.w, "  … %d lines before; -v shows all\n", len(lines)-most)
		lines = lines[len(lines)-most:]
	}
	for _, l := range lines {
		if len(l) > 0 {
			fmt.Fprintf(p.w, "  | %s\n", l)
		}
	}
}

// ImageDone implements engine.Progress.
func (p *progress) ImageDone(plan.Image, engine.Image) {}
