package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/suggest"
)

// typed holds a literal value against the role's specification.
func (c *checker) typed(s setting) {
	if o, ok := c.specs.options[s.name]; ok {
		c.value(s, s.name, s.value, o)
	}
}

func (c *checker) value(s setting, name string, n *yaml.Node, o option) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" || n.Tag == "!vault" || n.Kind == yaml.ScalarNode && jinja(n.Value) {
		return
	}
	if !fits(n, o.Type) {
		c.errorAt(at(s.file, s.text, n), "Wrong type", "%s is %s; it takes %s.", name, describe(n), article(o.Type))
		return
	}
	if n.Kind == yaml.ScalarNode {
		c.scalar(s, name, n, o)
	}
	for i, item := range n.Content {
		if o.Type == "list" {
			c.value(s, fmt.Sprintf("%s[%d]", name, i), item, option{Type: o.Elements, Options: o.Options, Choices: o.Choices})
		}
	}
	if n.Kind != yaml.MappingNode || len(o.Options) == 0 {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		sub, ok := o.Options[key.Value]
		if !ok {
			c.errorAt(at(s.file, s.text, key), "Unknown key", "%s has no key %q.%s", name, key.Value, suggest.DidYouMean(key.Value, slices.Collect(maps.Keys(o.Options))))
			continue
		}
		c.value(s, name+"."+key.Value, n.Content[i+1], sub)
	}
}

// scalar finds what YAML 1.1, which Ansible reads, takes for another value than
// the one that is written.
func (c *checker) scalar(s setting, name string, n *yaml.Node, o option) {
	text := o.Type == "str" || o.Type == "path"
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	word := regexp.MustCompile(`^(?i:yes|no|on|off|true|false)$`).MatchString(n.Value)
	number := regexp.MustCompile(`^[-+]?(0x[0-9a-fA-F_]+|0[0-7_]+|0b[01_]+|[1-9][0-9_]*(:[0-5]?[0-9])+)$`).MatchString(n.Value)
	switch {
	case text && plain && number:
		c.errorAt(at(s.file, s.text, n), "Number in place of a text", "%s is %s without quotes, and YAML makes a decimal number of that. Write %q.", name, n.Value, n.Value)
	case text && plain && word:
		c.errorAt(at(s.file, s.text, n), "Boolean in place of a text", "%s is %s without quotes, and YAML makes true or false of that. Write %q.", name, n.Value, n.Value)
	case len(o.Choices) > 0 && !slices.Contains(o.Choices, n.Value) && (o.Type != "bool"):
		c.errorAt(at(s.file, s.text, n), "Value that is no choice", "%s is %q; it takes one of %s.%s", name, n.Value, strings.Join(o.Choices, ", "), suggest.DidYouMean(n.Value, o.Choices))
	}
}

// fits tells whether Ansible takes the value for the type, be it by conversion:
// ansible/module_utils/common/validation.py.
func fits(n *yaml.Node, kind string) bool {
	scalar := n.Kind == yaml.ScalarNode
	switch kind {
	case "list":
		return n.Kind == yaml.SequenceNode
	case "dict":
		return n.Kind == yaml.MappingNode
	case "str", "path":
		return scalar
	case "bool":
		return scalar && regexp.MustCompile(`^(?i:yes|no|on|off|true|false|y|n|t|f|0|1|1\.0|0\.0)$`).MatchString(n.Value)
	case "int":
		_, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
		return scalar && err == nil
	case "float":
		_, err := strconv.ParseFloat(n.Value, 64)
		return scalar && err == nil
	}
	return true
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	return strconv.Quote(n.Value)
}

func article(kind string) string {
	words := map[string]string{"int": "a whole number", "bool": "true or false", "dict": "a mapping", "str": "a text", "float": "a number"}
	if w, ok := words[kind]; ok {
		return w
	}
	return "a " + kind
}
