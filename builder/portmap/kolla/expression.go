package kolla

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Expression is a value of Kolla's as the table has it: a text, a variable, or
// an operation. configs/README.md has the forms.
type Expression struct {
	text      string // without the operation
	variable  bool   // text is a variable's name
	operation string
	operands  []Expression
}

// arities are the least and the most operands of each operation; a negative
// number is no limit.
func arities() map[string][2]int {
	return map[string][2]int{"if": {3, 3}, "and": {1, -1}, "or": {1, -1}, "not": {1, 1}, "eq": {2, 2}, "default": {2, 2}}
}

// UnmarshalJSON reads a string or a list. An operation that this build does not
// know, or with the wrong number of operands, is an error.
func (e *Expression) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err == nil {
		name, variable := strings.CutPrefix(text, "$")
		*e = Expression{text: name, variable: variable}
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return fmt.Errorf("%s is no expression: neither a string nor a list", raw)
	}
	var out Expression
	if err := json.Unmarshal(list[0], &out.operation); err != nil {
		return fmt.Errorf("%s is no expression: it names no operation", raw)
	}
	arity, known := arities()[out.operation]
	n := len(list) - 1
	if !known || n < arity[0] || arity[1] >= 0 && n > arity[1] {
		return fmt.Errorf("%s is no expression: there is no operation %q of %d operands", raw, out.operation, n)
	}
	for _, operand := range list[1:] {
		var o Expression
		if err := o.UnmarshalJSON(operand); err != nil {
			return err
		}
		out.operands = append(out.operands, o)
	}
	if out.operation == "default" && !out.operands[0].variable {
		return fmt.Errorf("%s is no expression: only a variable can have a default", raw)
	}
	*e = out
	return nil
}

// scope are the variables of one evaluation: those of the release, and what a
// site says in their place.
type scope struct {
	release map[string]Expression
	site    Globals
	// within are the variables that are being evaluated.
	within []string
	// faults of what the site sets, and derived ones, which follow from that.
	faults, derived *[]error
}

// value of an expression as a text. Faults of the site's values are collected;
// the text is then empty.
func (s scope) value(e Expression) string {
	switch {
	case e.variable:
		return s.variable(e.text)
	case e.operation == "":
		return e.text
	case e.operation == "if":
		if truth(s.value(e.operands[0])) {
			return s.value(e.operands[1])
		}
		return s.value(e.operands[2])
	case e.operation == "eq":
		return boolean(s.value(e.operands[0]) == s.value(e.operands[1]))
	case e.operation == "default":
		if s.defined(e.operands[0].text) {
			return s.value(e.operands[0])
		}
		return s.value(e.operands[1])
	case e.operation == "not":
		return boolean(!truth(s.value(e.operands[0])))
	case e.operation == "and":
		return boolean(!slices.ContainsFunc(e.operands, func(o Expression) bool { return !truth(s.value(o)) }))
	}
	return boolean(slices.ContainsFunc(e.operands, func(o Expression) bool { return truth(s.value(o)) })) // or
}

func (s scope) defined(name string) bool {
	_, table := s.release[name]
	_, site := s.site.values[name]
	return table || site
}

func (s scope) variable(name string) string {
	if set, ok := s.site.values[name]; ok {
		if set.fault != "" {
			*s.faults = append(*s.faults, set.errorf(name, "%s", set.fault))
		}
		return set.text
	}
	e, ok := s.release[name]
	if !ok || slices.Contains(s.within, name) {
		*s.faults = append(*s.faults, fmt.Errorf("the table of Kolla's ports has no value for %s: use the table that belongs to this ibforge", name))
		return ""
	}
	s.within = append(slices.Clip(s.within), name)
	return s.value(e)
}

// truth is Ansible's filter bool, which Kolla applies to all of its switches
// (ansible/plugins/filter/core.py, to_bool).
func truth(text string) bool {
	return slices.Contains([]string{"yes", "on", "true", "1"}, strings.ToLower(text))
}

func boolean(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
