package deploy

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Outcomes of a task on a host, in the order in which counts are shown. A
// changed task counts as changed only, so that a line adds up to its hosts.
const (
	isOK          = "ok"
	isChanged     = "changed"
	isSkipped     = "skipped"
	isFailed      = "failed"
	isUnreachable = "unreachable"
)

// progress writes what the operator sees: a line per task, and below it only
// the hosts on which something changed or went wrong.
//
// Standard error comes from another goroutine, so everything here is locked.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	color bool
	width int  // see Options.Width
	quiet bool // see Options.Quiet
	task  *taskLine
}

// taskLine is the task that runs.
type taskLine struct {
	id      string
	head    string
	counts  map[string]int
	details []string
	// open says that the line is on the screen and has no end yet.
	open bool
}

func (p *progress) startPlay(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endTask()
	if !p.quiet {
		p.write(p.paint(bold, "PLAY "+clean(name)) + "\n")
	}
}

// startTask opens the line of a task; kind is TASK or HANDLER.
func (p *progress) startTask(kind string, task entity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beginTask(kind, task)
}

func (p *progress) beginTask(kind string, task entity) {
	p.endTask()
	p.task = &taskLine{id: task.ID, head: kind + " " + clean(task.Name) + " …", counts: map[string]int{}}
	p.draw()
}

// host counts an outcome and keeps the details for the end of the line.
func (p *progress) host(task entity, outcome string, details []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.task == nil || p.task.id != task.ID {
		p.beginTask("TASK", task) // strategies in which hosts run ahead
	}
	p.task.counts[outcome]++
	p.task.details = append(p.task.details, details...)
	if p.width > 0 {
		p.draw()
	}
}

// text writes lines to w without breaking the open line in two; w may be the
// same terminal.
func (p *progress) text(w io.Writer, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.task != nil && p.task.open {
		p.task.open = false
		if p.width > 0 {
			p.write(eraseLine)
		} else {
			p.write("\n")
		}
	}
	_, _ = io.WriteString(w, clean(text)+"\n")
}

// end closes the last line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endTask()
}

func (p *progress) endTask() {
	t := p.task
	if t == nil {
		return
	}
	p.task = nil
	if p.quiet && t.counts[isFailed]+t.counts[isUnreachable] == 0 {
		return
	}
	switch {
	case p.width > 0 && !p.quiet:
		p.write(eraseLine + t.head + p.summary(t))
	case t.open:
		p.write(p.summary(t))
	default:
		p.write(t.head + p.summary(t))
	}
	p.write("\n")
	for _, d := range t.details {
		p.write(d + "\n")
	}
}

// draw puts the open line on the screen, or puts it there anew.
func (p *progress) draw() {
	t := p.task
	if p.quiet {
		return
	}
	t.open = true
	if p.width == 0 {
		p.write(t.head)
		return
	}
	// A line that wraps cannot be erased: only its last row would be.
	if text := t.head + plainSummary(t); utf8.RuneCountInString(text) >= p.width {
		p.write(eraseLine + string([]rune(text)[:p.width-1]))
		return
	}
	p.write(eraseLine + t.head + p.summary(t))
}

func (p *progress) summary(t *taskLine) string {
	var b strings.Builder
	for _, outcome := range []string{isOK, isChanged, isSkipped, isFailed, isUnreachable} {
		if n := t.counts[outcome]; n > 0 {
			b.WriteString(" " + p.paint(outcomeColor(outcome), fmt.Sprintf("%s=%d", outcome, n)))
		}
	}
	return b.String()
}

func plainSummary(t *taskLine) string { return (&progress{}).summary(t) }

// write leaves errors to the caller of Run: it owns the stream, and a run that
// changes hosts must not stop half way because nobody reads along any more.
func (p *progress) write(text string) { _, _ = io.WriteString(p.out, text) }

// SGR parameters and a control sequence of ECMA-48.
const (
	bold      = "1"
	red       = "31"
	green     = "32"
	yellow    = "33"
	cyan      = "36"
	eraseLine = "\r\x1b[K"
)

func outcomeColor(outcome string) string {
	switch outcome {
	case isChanged:
		return yellow
	case isFailed, isUnreachable:
		return red
	case isSkipped:
		return cyan
	}
	return green
}

// paint colours every line on its own, so that a cut text leaves no colour on.
func (p *progress) paint(sgr, text string) string {
	if !p.color {
		return text
	}
	painted := slices.Collect(strings.SplitSeq(text, "\n"))
	for i, line := range painted {
		if line != "" {
			painted[i] = "\x1b[" + sgr + "m" + line + "\x1b[0m"
		}
	}
	return strings.Join(painted, "\n")
}
