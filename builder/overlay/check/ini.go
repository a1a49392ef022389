package check

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// iniOption is one line "key = value" with those that continue it.
type iniOption struct {
	section, key, value string
	line                int
	// column of the key, counted from 1.
	column int
	// branch is the Jinja block that it stands in, see [jinjaState].
	branch string
}

// iniFault is what oslo.config takes in another way than it looks.
type iniFault struct {
	line            int
	summary, detail string
}

// iniFile is a file as oslo.config reads it.
type iniFile struct {
	file, text string
	options    []iniOption
	// sections by name, with the line of the first header.
	sections map[string]int
	faults   []iniFault
}

// parseINI follows oslo_config/iniparser.py: a line that starts with a blank
// continues the value before it, "=" and ":" both end a key, a comment starts a
// line, and names are taken as they are written. Jinja's blocks are left out.
func parseINI(file, text string) iniFile {
	f := iniFile{file: file, text: text, sections: map[string]int{}}
	var blocks jinjaState
	section, open := "", false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r\n")
		bare := strings.TrimLeft(line, " \t")
		if blocks.line(bare) {
			continue
		}
		n := i + 1
		switch {
		case line == "":
			open = false
		case line != bare && open:
			f.continued(n, bare)
		case line != bare:
			f.fault(n, "Line that starts with a blank", "It continues the value before it, and there is none. Take the blanks away.")
		case line[0] == '#' || line[0] == ';':
			open = false
		case line[0] == '[':
			open = false
			section = f.section(n, line)
		default:
			at := strings.IndexAny(line, "=:")
			if at < 0 {
				open = false
				if !jinja(line) {
					f.fault(n, "Line without a value", "It has neither = nor :, and oslo.config refuses the whole file.")
				}
				continue
			}
			open = true
			f.options = append(f.options, iniOption{
				section: section, key: strings.TrimSpace(line[:at]), value: unquote(strings.TrimSpace(line[at+1:])),
				line: n, column: 1, branch: blocks.branch(),
			})
		}
	}
	return f
}

func (f *iniFile) fault(line int, summary, detail string) {
	f.faults = append(f.faults, iniFault{line, summary, detail})
}

// continued adds to the last option, which may not have been meant.
func (f *iniFile) continued(n int, bare string) {
	last := &f.options[len(f.options)-1]
	if regexp.MustCompile(`^[a-z][a-z0-9_]* *[=:]`).MatchString(bare) {
		f.fault(n, "Option in the value of another one", "The line starts with a blank, so it continues the value of "+last.key+". Take the blanks away.")
	}
	last.value += "\n" + bare
}

func (f *iniFile) section(n int, line string) string {
	if !strings.HasSuffix(line, "]") || len(line) == 2 {
		f.fault(n, "Invalid section", "oslo.config refuses the whole file: write [NAME], with no comment behind it.")
		return line
	}
	name := line[1 : len(line)-1]
	if trimmed := strings.TrimSpace(name); trimmed != name {
		f.fault(n, "Section that nobody reads", "The blanks in "+line+" are part of its name. Write ["+trimmed+"].")
	}
	if _, ok := f.sections[name]; !ok {
		f.sections[name] = n
	}
	return name
}

func unquote(value string) string {
	if n := len(value); n > 0 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
		return value[min(1, n-1):max(0, n-1)]
	}
	return value
}

// jinjaState tells in which branch of which block a line stands, because of two
// branches of one block only one is rendered.
type jinjaState struct {
	stack   []string
	counted int
	// until is what ends the tag or comment that is open.
	until string
}

// line tells whether a line is all Jinja: a tag or an expression of its own, or
// within a comment or a tag that goes over several lines.
func (s *jinjaState) line(bare string) bool {
	if s.until != "" {
		if strings.Contains(bare, s.until) {
			s.until = ""
		}
		return true
	}
	for _, m := range regexp.MustCompile(`\{%[-+]?\s*(\w+)`).FindAllStringSubmatch(bare, -1) {
		s.tag(m[1])
	}
	for open, end := range map[string]string{"{#": "#}", "{%": "%}", "{{": "}}"} {
		if !strings.HasPrefix(bare, open) {
			continue
		}
		if !strings.Contains(bare, end) {
			s.until = end
		}
		return true
	}
	return false
}

func (s *jinjaState) tag(word string) {
	s.counted++
	name := strconv.Itoa(s.counted)
	switch top := len(s.stack) - 1; {
	case slices.Contains([]string{"if", "for", "raw", "macro", "filter", "call"}, word):
		s.stack = append(s.stack, name)
	case (word == "else" || word == "elif") && top >= 0:
		s.stack[top] += "|" + name
	case strings.HasPrefix(word, "end") && top >= 0:
		s.stack = s.stack[:top]
	}
}

func (s *jinjaState) branch() string { return strings.Join(s.stack, "/") }

// together tells whether two lines can both be rendered: the one stands in the
// block of the other, or in none.
func together(a, b string) bool {
	return a == "" || b == "" || strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}
