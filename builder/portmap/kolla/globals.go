package kolla

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Globals are variables that a site sets for Kolla-Ansible, as in globals.yml.
// The zero value sets none.
type Globals struct {
	values map[string]setting
}

// setting is the value of one variable and where it stands.
type setting struct {
	text string
	// fault tells why the value is none that can be used here; it matters only
	// where something depends on the variable.
	fault string
	file  string
	line  int
}

func (s setting) errorf(name, format string, args ...any) error {
	return &placedError{file: s.file, line: s.line, text: name + " " + fmt.Sprintf(format, args...)}
}

// placedError is a fault of one line of a file.
type placedError struct {
	file string
	line int
	text string
}

func (e *placedError) Error() string { return fmt.Sprintf("%s:%d: %s", e.file, e.line, e.text) }

// ReadGlobals adds the variables of one file to those read before, whose place
// they take: Kolla-Ansible passes globals.yml and globals.d/*.yml in this order.
// The name of the file goes into messages.
func ReadGlobals(before Globals, file string, content []byte) (Globals, error) {
	out := Globals{values: maps.Clone(before.values)}
	if out.values == nil {
		out.values = map[string]setting{}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return out, fmt.Errorf("%s is no YAML: %w; give the globals.yml of Kolla-Ansible", file, err)
	}
	if doc.Kind == 0 { // nothing but comments, as Kolla ships it
		return out, nil
	}
	body := doc.Content[0]
	if body.Kind == yaml.ScalarNode && body.Tag == "!!null" {
		return out, nil
	}
	if body.Kind != yaml.MappingNode {
		return out, fmt.Errorf("%s:%d: this is no mapping from variables to values; give the globals.yml of Kolla-Ansible", file, body.Line)
	}
	for i := 0; i+1 < len(body.Content); i += 2 {
		key, value := body.Content[i], body.Content[i+1]
		out.values[key.Value] = read(file, key.Line, value)
	}
	return out, nil
}

func read(file string, line int, value *yaml.Node) setting {
	out := setting{file: file, line: line}
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	switch {
	case value.Kind != yaml.ScalarNode:
		out.fault = "is a list or a mapping; it takes one value"
	case value.Tag == "!vault":
		out.fault = "is encrypted; write its value in a copy of the file"
	case strings.Contains(value.Value, "{{") || strings.Contains(value.Value, "{%"):
		out.fault = fmt.Sprintf("is %q, and what Jinja makes of it is known to Ansible only; write the result in a copy of the file", value.Value)
	case value.Tag == "!!int":
		// YAML has 0x1F90 and 8_080, too.
		var n int64
		if err := value.Decode(&n); err == nil {
			out.text = strconv.FormatInt(n, 10)
			break
		}
		out.text = value.Value
	default:
		out.text = value.Value
	}
	return out
}

// number is a port number out of a variable's value.
func (s scope) number(name, text string) int {
	const highest = 65535
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err == nil && n >= 1 && n <= highest {
		return n
	}
	set, ok := s.site.values[name]
	switch {
	case ok && set.fault != "": // told already
	case ok:
		*s.faults = append(*s.faults, set.errorf(name, "is %q; a port is a number from 1 to %d", text, highest))
	default:
		*s.derived = append(*s.derived, fmt.Errorf("%s is %q by what is set for Kolla; a port is a number from 1 to %d", name, text, highest))
	}
	return 0
}

// inOrder joins faults, those of files line by line, each once.
func inOrder(faults []error) error {
	place := func(err error) placedError {
		var out *placedError
		if errors.As(err, &out) {
			return *out
		}
		return placedError{text: err.Error()}
	}
	slices.SortFunc(faults, func(a, b error) int {
		p, q := place(a), place(b)
		return cmp.Or(cmp.Compare(p.file, q.file), cmp.Compare(p.line, q.line), cmp.Compare(p.text, q.text))
	})
	return errors.Join(slices.CompactFunc(faults, func(a, b error) bool { return a.Error() == b.Error() })...)
}
