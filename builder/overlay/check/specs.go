package check

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/overlay"
)

// option is one of a role's meta/argument_specs.yml.
type option struct {
	Type     string            `yaml:"type"`
	Elements string            `yaml:"elements"`
	Choices  []string          `yaml:"choices"`
	Options  map[string]option `yaml:"options"`
}

// specs are the variables that there are.
type specs struct {
	options map[string]option
	// others are read by the playbooks; no role has a specification of them.
	others map[string]bool
}

// known are all names.
func (s specs) known() []string {
	return slices.Sorted(maps.Keys(s.all()))
}

func (s specs) all() map[string]bool {
	out := maps.Clone(s.others)
	for name := range s.options {
		out[name] = true
	}
	return out
}

func readSpecs(collection fs.FS, source overlay.Source) (specs, error) {
	out := specs{options: map[string]option{}, others: map[string]bool{}}
	files, err := fs.Glob(collection, "roles/*/meta/argument_specs.yml")
	if err != nil {
		return out, fmt.Errorf("the roles' specifications: %w", err)
	}
	for _, file := range files {
		var doc struct {
			Specs map[string]struct {
				Options map[string]option `yaml:"options"`
			} `yaml:"argument_specs"`
		}
		raw, err := fs.ReadFile(collection, file)
		if err == nil {
			err = yaml.Unmarshal(raw, &doc)
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", file, err)
		}
		for _, entry := range doc.Specs {
			maps.Copy(out.options, entry.Options)
		}
	}
	name := regexp.MustCompile(`\b(?:ib|ibforge)_\w+`)
	for _, text := range source.Texts() {
		for _, word := range name.FindAllString(text, -1) {
			out.others[word] = true
		}
	}
	// What the builder writes.
	out.others["ibforge_images"], out.others["ibforge_portmap"] = true, true
	return out, nil
}
