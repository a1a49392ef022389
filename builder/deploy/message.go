package deploy

import (
	"fmt"
	"strings"
	"unicode"
)

// failureMessage says in lines why a task failed: all that the module gave,
// each thing once. Tracebacks and the command are only for the verbose.
func failureMessage(r result, verbose bool) string {
	if r.hidden() {
		if text := r.text("censored"); text != "" {
			return clean(text)
		}
		return "the output is hidden by no_log"
	}
	if items := r.items(); items != nil {
		var parts []string
		for _, item := range items {
			if !item.flag("failed") && !item.flag("unreachable") {
				continue
			}
			parts = append(parts, itemMessage(item, verbose))
		}
		if len(parts) > 0 {
			return strings.Join(parts, "\n")
		}
	}
	return clean(moduleMessage(r, verbose))
}

func itemMessage(item result, verbose bool) string {
	label, text := clean(item.label()), failureMessage(item, verbose)
	if item.hidden() || label == "" {
		return text
	}
	if strings.Contains(text, "\n") {
		return label + ":\n" + indent(text, "  ")
	}
	return label + ": " + text
}

// moduleMessage puts the well-known return values together
// (docs.ansible.com, "Return Values").
func moduleMessage(r result, verbose bool) string {
	var b strings.Builder
	said := "\n"
	add := func(name, text string) {
		text = strings.TrimRight(text, " \n\r\t")
		if !verbose {
			text = cutTraceback(text)
		}
		switch {
		case text == "" || strings.Contains(said, "\n"+text+"\n"):
			return
		case b.Len() > 0:
			b.WriteByte('\n')
		}
		said += text + "\n"
		switch {
		case name == "":
			b.WriteString(text)
		case strings.Contains(text, "\n"):
			b.WriteString(name + ":\n" + indent(text, "  "))
		default:
			b.WriteString(name + ": " + text)
		}
	}
	add("", r.text("msg"))
	add("", r.text("reason"))
	add("assertion", r.text("assertion"))
	if verbose {
		add("cmd", r.text("cmd"))
	}
	if rc := r.text("rc"); rc != "" && rc != "0" {
		add("rc", rc)
	}
	for _, name := range []string{"stderr", "stdout", "module_stderr", "module_stdout"} {
		add(strings.TrimPrefix(name, "module_"), r.text(name))
	}
	if text := r.text("exception"); !strings.Contains(text, "traceback unavailable") {
		add("exception", text)
	}
	if b.Len() == 0 {
		return "the module gave no reason"
	}
	return b.String()
}

// cutTraceback leaves of every Python traceback its last line, which is the
// exception; frames are of use to the module's author only.
func cutTraceback(text string) string {
	const head = "Traceback (most recent call last):"
	if !strings.Contains(text, head) {
		return text
	}
	var kept []string
	inside := false
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == head {
			inside = true
			continue
		}
		if inside && (line == "" || line[0] == ' ' || line[0] == '\t') {
			continue
		}
		inside = false
		kept = append(kept, line)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}

// clean makes control characters visible: a message comes from another
// machine, and an escape sequence in it shall not reach the terminal.
func clean(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			fmt.Fprintf(&b, `\x%02x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func indent(text, by string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}
