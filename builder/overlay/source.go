package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Hook is an entry of hooks.yml: a playbook that Kayobe runs with a command.
type Hook struct {
	// Command with dashes, such as overcloud-service-deploy.
	Command string `yaml:"command"`
	// When is "pre" or "post".
	When string `yaml:"when"`
	// Order among the hooks of the command, ascending.
	Order int `yaml:"order"`
	// Playbook in ansible/.
	Playbook string `yaml:"playbook"`
	// Feature that brings the hook; empty for every site.
	Feature string `yaml:"feature"`
	Why     string `yaml:"why"`
}

// Feature is an entry of features.yml.
type Feature struct {
	Description string   `yaml:"description"`
	Needs       []string `yaml:"needs"`
}

// Release is an entry of releases.yml.
type Release struct {
	// Release of OpenStack, such as "2025.1".
	Release string `yaml:"release"`
	// Kayobe is its major version.
	Kayobe int `yaml:"kayobe"`
}

// Source is what is shipped.
type Source struct {
	Hooks    []Hook
	Features map[string]Feature
	Releases []Release
	common   Tree
	features map[string]Tree
}

// shared tells whether a path lies where Kayobe looks for it whatever the
// environment.
func shared(p string) bool { return strings.HasPrefix(p, "ansible/") }

// ReadSource reads the overlay, which is laid out as the package kayobe says.
func ReadSource(fsys fs.FS) (Source, error) {
	s := Source{features: map[string]Tree{}}
	var faults []error
	for name, to := range map[string]any{"hooks.yml": &s.Hooks, "features.yml": &s.Features, "releases.yml": &s.Releases} {
		faults = append(faults, readYAML(fsys, name, to))
	}
	var err error
	s.common, err = readTree(fsys, "files")
	faults = append(faults, err)
	for name := range s.Features {
		tree, err := readTree(fsys, "features/"+name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
		s.features[name] = tree
	}
	return s, errors.Join(append(faults, s.check()...)...)
}

func readYAML(fsys fs.FS, name string, to any) error {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(to); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func readTree(fsys fs.FS, dir string) (Tree, error) {
	out := Tree{}
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		// git keeps no empty directory; the file that keeps it is none of ours.
		if path.Base(name) != ".gitkeep" {
			out[strings.TrimPrefix(name, dir+"/")] = File(string(raw))
		}
		return nil
	})
	return out, err
}

// check finds what contradicts itself in the tables.
func (s Source) check() []error {
	var faults []error
	playbooks := maps.Clone(s.common)
	for name, f := range s.Features {
		maps.Copy(playbooks, s.features[name])
		for _, need := range f.Needs {
			if _, ok := s.Features[need]; !ok {
				faults = append(faults, fmt.Errorf("features.yml: %s needs %q, which is no feature", name, need))
			}
		}
	}
	places := map[string]bool{}
	for _, h := range s.Hooks {
		p, n := h.link("")
		if h.When != "pre" && h.When != "post" || h.Order < 0 || h.Why == "" {
			faults = append(faults, fmt.Errorf("hooks.yml: %s: when is %q, order %d, why %q", p, h.When, h.Order, h.Why))
		}
		if _, ok := playbooks["ansible/"+h.Playbook]; !ok {
			faults = append(faults, fmt.Errorf("hooks.yml: %s -> %s: there is no such playbook", p, n.Text))
		}
		if _, ok := s.Features[h.Feature]; !ok && h.Feature != "" {
			faults = append(faults, fmt.Errorf("hooks.yml: %s: %q is no feature", p, h.Feature))
		}
		if places[p] {
			faults = append(faults, fmt.Errorf("hooks.yml: %s is there twice", p))
		}
		places[p] = true
	}
	return faults
}

// link is the hook as Kayobe finds it. The target is relative, so that the
// repository can lie anywhere.
func (h Hook) link(layer string) (string, Node) {
	up := strings.Repeat("../", 3+depth(layer))
	return fmt.Sprintf("hooks/%s/%s.d/%02d-%s", h.Command, h.When, h.Order, h.Playbook), Link(up + "ansible/" + h.Playbook)
}

func depth(dir string) int {
	if dir == "" {
		return 0
	}
	return 1 + strings.Count(dir, "/")
}

// site are the files of a layer but for those that environments share. A
// feature's file goes before one of the same path of what the feature needs.
func (s Source) site(layer string, features []string) Tree {
	out := Tree{}
	for _, tree := range s.trees(features) {
		for p, n := range tree {
			if !shared(p) {
				out[p] = n
			}
		}
	}
	for _, h := range s.Hooks {
		if h.Feature == "" || slices.Contains(features, h.Feature) {
			p, n := h.link(layer)
			out[p] = n
		}
	}
	return out
}

// shared are the files that lie at the root only.
func (s Source) shared(features []string) Tree {
	out := Tree{}
	for _, tree := range s.trees(features) {
		for p, n := range tree {
			if shared(p) {
				out[p] = n
			}
		}
	}
	return out
}

// trees are the common one and those of features, each after what it needs.
func (s Source) trees(features []string) []Tree {
	out := []Tree{s.common}
	done := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, need := range s.Features[name].Needs {
			add(need)
		}
		out = append(out, s.features[name])
	}
	for _, name := range slices.Sorted(slices.Values(features)) {
		add(name)
	}
	return out
}
