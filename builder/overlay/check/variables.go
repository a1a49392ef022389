package check

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/overlay"
	"github.com/ibforge/ibforge/builder/suggest"
)

// setting is a variable of a file that Kayobe gives to Ansible.
type setting struct {
	name        string
	layer, file string
	text        string
	key, value  *yaml.Node
}

func (s setting) at() *hcl.Range      { return at(s.file, s.text, s.key) }
func (s setting) valueAt() *hcl.Range { return at(s.file, s.text, s.value) }

// setting is the one that wins, or nil.
func (c *checker) setting(name string) *setting {
	for i := range slices.Backward(c.settings) {
		if c.settings[i].name == name {
			return &c.settings[i]
		}
	}
	return nil
}

// variables looks at the files at the top of each layer, which Kayobe gives to
// Ansible as extra variables in the order of their names: kayobe/ansible.py,
// _get_vars_files. Extra variables go before all others.
func (c *checker) variables() {
	for _, layer := range c.layers {
		for _, name := range names(c.o.FS, layer) {
			if slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(name)) {
				c.settings = append(c.settings, c.settingsOf(layer, path.Join(layer, name))...)
			}
		}
	}
	seen := map[string]setting{}
	for _, s := range c.settings {
		c.known(s)
		c.typed(s)
		c.opensm(s)
		before, twice := seen[s.name]
		switch {
		case twice && before.file == s.file:
			c.errorAt(s.at(), "Variable given twice", "%s is in line %d too, and Ansible takes this one. Leave one of them.", s.name, before.key.Line)
		case twice && before.layer == s.layer && isOurs(s.name):
			c.errorAt(s.at(), "Variable given twice", "%s is in %s too. Kayobe reads the files by their names, so this one wins. Leave one of them.", s.name, before.file)
		}
		seen[s.name] = s
	}
	c.inventoryVariables(seen)
}

// settingsOf are the variables at the top level of a file, none if it is not one
// that can be read, such as one of ansible-vault.
func (c *checker) settingsOf(layer, file string) []setting {
	text, ok := c.read(c.o.FS, file, file)
	if !ok || strings.HasPrefix(text, "$ANSIBLE_VAULT") {
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		c.errorAt(nil, "Invalid YAML", "%s: %v", file, err)
		return nil
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	var out []setting
	m := doc.Content[0].Content
	for i := 0; i+1 < len(m); i += 2 {
		out = append(out, setting{name: m[i].Value, layer: layer, file: file, text: text, key: m[i], value: m[i+1]})
	}
	return out
}

// isOurs tells of names that only ibforge has.
func isOurs(name string) bool { return regexp.MustCompile(`^(ib|ibforge)_[a-z]`).MatchString(name) }

func (c *checker) known(s setting) {
	if !isOurs(s.name) || c.specs.all()[s.name] {
		return
	}
	near := suggest.DidYouMean(s.name, c.specs.known())
	// Playbooks of the operator's own may have names of their own.
	if !regexp.MustCompile(`^ib_(host|neo|opensm|service|ufm)_`).MatchString(s.name) && near == "" {
		return
	}
	c.errorAt(s.at(), "Unknown variable", "No role and no playbook reads %q, so its value has no effect.%s docs/roles.md has them all.", s.name, near)
}

func (c *checker) opensm(s setting) {
	if s.name == "opensm_enabled" && overlay.Truthy(s.value.Value) {
		c.errorAt(s.valueAt(), "Two subnet managers", "opensm_enabled is %s, and then Kayobe runs an OpenSM of its own beside that of ibforge. Two subnet managers on one fabric undo each other's work. Set it to false.", s.value.Value)
	}
}

// inventoryVariables looks at group_vars and host_vars, which Ansible reads in
// files of any name.
func (c *checker) inventoryVariables(extra map[string]setting) {
	for _, layer := range c.layers {
		for _, dir := range []string{"group_vars", "host_vars"} {
			walk(c.o.FS, path.Join(layer, "inventory", dir), func(file string) {
				if !slices.Contains([]string{"", ".yml", ".yaml", ".json"}, path.Ext(file)) || !mentions(c.o.FS, file) {
					return
				}
				for _, s := range c.settingsOf(layer, file) {
					c.known(s)
					c.typed(s)
					c.opensm(s)
					if wins, ok := extra[s.name]; ok && isOurs(s.name) {
						c.errorAt(s.at(), "Variable that is never read", "%s is in %s too, line %d. That is an extra variable, which goes before every inventory, for all hosts. Leave it in one of them.", s.name, wins.file, wins.key.Line)
					}
				}
			})
		}
	}
}

// mentions spares the parsing of hundreds of files that are not about us.
func mentions(fsys fs.FS, file string) bool {
	raw, err := fs.ReadFile(fsys, file)
	return err != nil || regexp.MustCompile(`(?m)^\s*["']?(ib_|ibforge_|opensm_enabled)`).Match(raw)
}
