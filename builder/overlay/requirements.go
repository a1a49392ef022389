package overlay

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// requirementsName is the file that kayobe control host bootstrap gives to
// ansible-galaxy.
const requirementsName = "ansible/requirements.yml"

// repository is where ansible-galaxy finds the collection; a release is the tag
// "v" and its version, as Go's module proxy wants it too.
const repository = "https://github.com/ibforge/ibforge"

// Insertion is what was put into a file that is not ours.
type Insertion struct {
	Text string `json:"text"`
	// Replaced is what stood there before.
	Replaced string `json:"replaced,omitempty"`
	// Created tells that there was no file, and Text is all of it.
	Created bool `json:"created,omitempty"`
}

func entry(indent, version string) string {
	return indent + "- name: " + repository + "\n" + indent + "  type: git\n" + indent + "  version: v" + version + "\n"
}

// requirements decides about the collection's entry. It is done textually,
// because YAML that is read and written again has lost its comments and style.
func requirements(d Disk, old *Insertion, want bool, version string) (Change, *Insertion, error) {
	c := Change{Path: requirementsName, Action: Same}
	there, err := look(d, requirementsName)
	if err != nil {
		return c, nil, err
	}
	c.Before, c.After = there, there
	switch {
	case there == nil && !want:
		return c, nil, nil
	case there == nil && old != nil:
		c.Action = Gone
		return c, old, nil
	case there == nil:
		ins := &Insertion{Created: true, Text: "---\ncollections:\n" + entry("  ", version)}
		return c.to(Create, ins.Text), ins, nil
	case there.Link || there.Other != "":
		if want {
			c = c.conflict("it is no file of its own", version)
		}
		return c, old, nil
	case old != nil && strings.Count(there.Text, old.Text) == 1:
		return c.have(old, want, version)
	}
	return c.listed(old, want, version)
}

// listed is for a file without the entry as we wrote it.
func (c Change) listed(old *Insertion, want bool, version string) (Change, *Insertion, error) {
	items, err := collections(c.Before.Text)
	if err != nil {
		if want {
			c = c.conflict(err.Error(), version)
		}
		return c, old, nil
	}
	listed := slices.ContainsFunc(items, isOurs)
	switch {
	case !want && old != nil && listed:
		c.Action = Leave
		return c, nil, nil
	case !want:
		return c, nil, nil
	case listed:
		if !slices.ContainsFunc(items, func(n any) bool { return isOurs(n) && versionOf(n) == "v"+version }) {
			c.Action = Keep
		}
		return c, old, nil
	case old != nil:
		c.Action = Gone
		return c, old, nil
	}
	next, ins, err := insert(c.Before.Text, version)
	if err != nil {
		return c.conflict(err.Error(), version), nil, nil
	}
	return c.to(Update, next), ins, nil
}

func (c Change) to(a Action, text string) Change {
	n := File(text)
	c.Action, c.After = a, &n
	return c
}

func (c Change) conflict(why, version string) Change {
	n := File("collections:\n" + entry("  ", version))
	c.Action, c.Offered, c.Why = Conflict, &n, why
	return c
}

// have is for a file that holds our entry as we wrote it.
func (c Change) have(old *Insertion, want bool, version string) (Change, *Insertion, error) {
	if want {
		next := *old
		next.Text = regexp.MustCompile(`(?m)^(\s*version:) .*$`).ReplaceAllString(old.Text, "${1} v"+version)
		if next.Text != old.Text {
			c = c.to(Update, strings.Replace(c.Before.Text, old.Text, next.Text, 1))
		}
		return c, &next, nil
	}
	rest := strings.Replace(c.Before.Text, old.Text, old.Replaced, 1)
	if old.Created && rest == "" {
		c.Action, c.After = Remove, nil
		return c, nil, nil
	}
	return c.to(Update, rest), nil, nil
}

func collections(text string) ([]any, error) {
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("it is no valid YAML: %w", err)
	}
	switch doc := doc.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		items, ok := doc["collections"].([]any)
		if !ok && doc["collections"] != nil {
			return nil, fmt.Errorf("its collections are no list")
		}
		return items, nil
	}
	return nil, fmt.Errorf("it is no mapping with the keys roles and collections, and only such a file can name collections")
}

// isOurs tells whether an entry names the collection, by whatever address.
func isOurs(item any) bool {
	m, ok := item.(map[string]any)
	if !ok {
		return item == "ibforge.fabric"
	}
	for _, key := range []string{"name", "source"} {
		if v, ok := m[key].(string); ok && (v == "ibforge.fabric" || strings.Contains(v, "ibforge/ibforge")) {
			return true
		}
	}
	return false
}

func versionOf(item any) string {
	m, ok := item.(map[string]any)
	if !ok {
		return ""
	}
	return fmt.Sprint(m["version"])
}

// insert puts the entry first into the list of collections, which it makes where
// there is none.
func insert(text, version string) (string, *Insertion, error) {
	next, ins := place(text, version)
	// What the edit makes of the file is read again: YAML has more forms than
	// an edit by lines knows.
	var before, after map[string]any
	fault := fmt.Errorf("its form is one that cannot be added to")
	if yaml.Unmarshal([]byte(text), &before) != nil || yaml.Unmarshal([]byte(next), &after) != nil {
		return "", nil, fault
	}
	var added []any
	if err := yaml.Unmarshal([]byte(entry("", version)), &added); err != nil {
		return "", nil, fmt.Errorf("the entry: %w", err)
	}
	if before == nil {
		before = map[string]any{}
	}
	items, _ := before["collections"].([]any)
	before["collections"] = append(added, items...)
	if !reflect.DeepEqual(before, after) || strings.Count(next, ins.Text) != 1 {
		return "", nil, fault
	}
	return next, &ins, nil
}

// place edits the text.
func place(text, version string) (string, Insertion) {
	key, value := find(text)
	if key == nil {
		ins := Insertion{Text: "collections:\n" + entry("  ", version)}
		if text != "" && !strings.HasSuffix(text, "\n") {
			ins.Text = "\n" + ins.Text
		}
		return text + ins.Text, ins
	}
	lines := strings.SplitAfter(text, "\n")
	line := lines[key.Line-1]
	indent := "  "
	if len(value.Content) > 0 {
		indent = strings.Repeat(" ", value.Column-1)
	}
	if !strings.HasSuffix(line, "\n") {
		line += "\n"
	}
	ins := Insertion{Text: line + entry(indent, version), Replaced: lines[key.Line-1]}
	if value.Style&yaml.FlowStyle != 0 && len(value.Content) == 0 {
		ins.Text = regexp.MustCompile(`:[ \t]*\[\s*\]`).ReplaceAllString(line, ":") + entry(indent, version)
	}
	lines[key.Line-1] = ins.Text
	return strings.Join(lines, ""), ins
}

// find is the key collections and its value.
func find(text string) (key, value *yaml.Node) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
		return nil, nil
	}
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		if doc.Content[0].Content[i].Value == "collections" {
			return doc.Content[0].Content[i], doc.Content[0].Content[i+1]
		}
	}
	return nil, nil
}
