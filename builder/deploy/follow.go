package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// follower turns the callback's lines into progress and the Recap.
type follower struct {
	progress *progress
	words    *words
	display  func(string) string
	verbose  bool
	diff     bool

	play  string
	recap Recap
	// ended says that Ansible came to its own recap.
	ended bool
}

// line takes one line of standard output.
func (f *follower) line(p []byte) {
	e, ok := parseEvent(p)
	if !ok {
		// A callback that ansible.cfg enables besides ours, such as timer.
		if text := string(p); strings.TrimSpace(text) != "" && !strings.HasPrefix(text, `{"_event"`) {
			f.progress.text(f.progress.out, f.display(text))
		}
		return
	}
	switch e.Name {
	case eventPlay:
		f.words.started()
		f.play = e.Play.Name
		f.progress.startPlay(e.Play.Name)
	case eventTask:
		f.progress.startTask("TASK", e.Task)
	case eventHandler:
		f.progress.startTask("HANDLER", e.Task)
	case eventOK, eventSkipped, eventFailed, eventUnreachable:
		for _, host := range slices.Sorted(maps.Keys(e.Hosts)) {
			f.host(e, host, e.Hosts[host])
		}
	case eventStats:
		f.ended = true
		f.settle(e.Stats)
	case eventHostStart: // the line opens with the first result
	}
}

func (f *follower) host(e event, host string, r result) {
	var details []string
	add := func(outcome, text string) {
		details = append(details, f.progress.paint(outcomeColor(outcome), f.display(text)))
	}
	outcome := isOK
	switch e.Name {
	case eventSkipped:
		outcome = isSkipped
	case eventFailed, eventUnreachable:
		outcome = isFailed
		if e.Name == eventUnreachable {
			outcome = isUnreachable
		}
		failure := f.failure(e, host, r)
		add(outcome, fmt.Sprintf("  %s %s%s\n%s", outcome, host, place(e.Task), indent(failure.Message, "    ")))
		f.recap.Failures = append(f.recap.Failures, failure)
	case eventOK:
		if r.flag("changed") {
			outcome = isChanged
			add(outcome, "  changed "+host+changedItems(r))
		}
		for _, text := range debugTexts(r) {
			add(isOK, "  "+host+" says: "+strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	// The file module gives a diff in every run, asked for or not.
	if diff := diffText(r); f.diff && diff != "" {
		details = append(details, f.display(indent(diff, "    ")))
	}
	for _, warning := range warnings(r) {
		add(isChanged, "  warning "+host+": "+warning)
	}
	f.progress.host(e.Task, outcome, details)
}

func (f *follower) failure(e event, host string, r result) Failure {
	path, line := splitPath(f.display(e.Task.Path))
	return Failure{
		Host: host, Play: f.play, Task: e.Task.Name, Path: path, Line: line,
		Message:     f.display(failureMessage(r, f.verbose)),
		Unreachable: e.Name == eventUnreachable,
	}
}

// settle takes over Ansible's counts, and from them learns which failures
// count: the last ones of each host, because a host that fails for good runs
// nothing but always sections after it. The others were ignored or rescued.
func (f *follower) settle(stats map[string]counter) {
	f.recap.Hosts = map[string]HostStats{}
	left := map[string]counter{}
	for host, c := range stats {
		f.recap.Hosts[host] = HostStats{
			OK: c.OK, Changed: c.Changed, Unreachable: c.Unreachable, Failed: c.Failures,
			Skipped: c.Skipped, Rescued: c.Rescued, Ignored: c.Ignored,
		}
		left[host] = c
	}
	var kept []Failure
	for _, failure := range slices.Backward(f.recap.Failures) {
		c := left[failure.Host]
		n := &c.Failures
		if failure.Unreachable {
			n = &c.Unreachable
		}
		if *n > 0 {
			*n--
			kept = append(kept, failure)
		}
		left[failure.Host] = c
	}
	slices.Reverse(kept)
	f.recap.Failures = kept
}

// table is the recap as text.
func (f *follower) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "RECAP\tok\tchanged\tunreachable\tfailed\tskipped\trescued\tignored")
	for _, host := range slices.Sorted(maps.Keys(f.recap.Hosts)) {
		s := f.recap.Hosts[host]
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", host, s.OK, s.Changed, s.Unreachable, s.Failed, s.Skipped, s.Rescued, s.Ignored)
	}
	_ = w.Flush() // into memory
	table := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, host := range slices.Sorted(maps.Keys(f.recap.Hosts)) {
		s := f.recap.Hosts[host]
		switch {
		case s.Failed+s.Unreachable > 0:
			table[i+1] = f.progress.paint(red, table[i+1])
		case s.Changed > 0:
			table[i+1] = f.progress.paint(yellow, table[i+1])
		}
	}
	return strings.Join(table, "\n") + "\n"
}

func place(task entity) string {
	if task.Path == "" {
		return ""
	}
	return " at " + task.Path
}

// splitPath takes "file:line" apart.
func splitPath(path string) (string, int) {
	i := strings.LastIndexByte(path, ':')
	if i < 0 {
		return path, 0
	}
	n, err := strconv.Atoi(path[i+1:])
	if err != nil {
		return path, 0
	}
	return path[:i], n
}

// changedItems names the loop items that changed something.
func changedItems(r result) string {
	var labels []string
	for _, item := range r.items() {
		if !item.flag("changed") || item.hidden() {
			continue
		}
		label := []rune(strings.ReplaceAll(clean(item.label()), "\n", " "))
		if len(label) > 60 {
			label = append(label[:59], '…')
		}
		labels = append(labels, string(label))
	}
	if labels == nil {
		return ""
	}
	return " (" + strings.Join(labels, ", ") + ")"
}

// debugTexts are what the debug module says, per item of a loop. Its other
// form returns the variable under its own name.
func debugTexts(r result) []string {
	if action := r.text("action"); action != "debug" && action != "ansible.builtin.debug" || r.hidden() {
		return nil
	}
	parts := r.items()
	if parts == nil {
		parts = []result{r}
	}
	var texts []string
	for _, part := range parts {
		if part.hidden() || part.flag("skipped") {
			continue
		}
		if _, ok := part["msg"]; ok {
			texts = append(texts, clean(part.text("msg")))
			continue
		}
		own := []string{"action", "changed", "failed", "item", "ansible_loop_var", part.text("ansible_loop_var")}
		for _, key := range slices.Sorted(maps.Keys(part)) {
			if !strings.HasPrefix(key, "_ansible_") && !slices.Contains(own, key) {
				texts = append(texts, clean(key+" = "+part.text(key)))
			}
		}
	}
	return texts
}

// warnings are those of the module; the callback leaves them in the result.
func warnings(r result) []string {
	if r.hidden() {
		return nil
	}
	var texts []string
	for _, part := range append([]result{r}, r.items()...) {
		list, _ := part["warnings"].([]any)
		for _, w := range list {
			if text := clean(textOf(w)); text != "" && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return texts
}
