package check

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/suggest"
)

func (c *checker) errorAt(subject *hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: subject})
}

func (c *checker) warnAt(subject *hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: subject})
}

// read gives the text of a file and keeps it for what is printed. What cannot
// be read is told, because what is in it stays unknown.
func (c *checker) read(fsys fs.FS, name, shown string) (string, bool) {
	raw, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		c.warnAt(nil, "File that cannot be read", "%s: %v. Nothing is known of what is in it.", shown, err)
		return "", false
	}
	c.files[shown] = &hcl.File{Bytes: raw}
	return string(raw), true
}

// lineRange is columns [from, to) of a line, all counted from 1 in bytes; to 0
// is the line's end.
func lineRange(file, text string, line, from, to int) *hcl.Range {
	at := 0
	for range line - 1 {
		next := strings.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	rest, _, _ := strings.Cut(text[at:], "\n")
	if to == 0 || to > len(rest)+1 {
		to = len(rest) + 1
	}
	from = min(from, to)
	return &hcl.Range{
		Filename: file,
		Start:    hcl.Pos{Line: line, Column: from, Byte: at + from - 1},
		End:      hcl.Pos{Line: line, Column: to, Byte: at + to - 1},
	}
}

// at is the place of a scalar, or of the first line of what is none.
func at(file, text string, n *yaml.Node) *hcl.Range {
	to := 0
	if n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value != "" && !strings.Contains(n.Value, "\n") {
		to = n.Column + len(n.Value)
	}
	return lineRange(file, text, n.Line, n.Column, to)
}

// layers are the directories that Kayobe joins, the least specific first: the
// root, what the environment depends on, and the environment. See
// EnvironmentFinder in kayobe/utils.py.
func layers(fsys fs.FS, environment string) ([]string, error) {
	out := []string{"."}
	if environment == "" {
		return out, nil
	}
	done := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		if done[name] {
			return nil
		}
		done[name] = true
		dir := path.Join("environments", name)
		if info, err := fs.Stat(fsys, dir); err != nil || !info.IsDir() {
			return fmt.Errorf("there is no environment %q; environments are directories of environments/.%s", name, suggest.DidYouMean(name, names(fsys, "environments")))
		}
		var meta struct {
			Dependencies []string `yaml:"dependencies"`
		}
		raw, err := fs.ReadFile(fsys, path.Join(dir, ".kayobe-environment"))
		if err == nil {
			err = yaml.Unmarshal(raw, &meta)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s/.kayobe-environment: %w", dir, err)
		}
		for _, need := range meta.Dependencies {
			if err := add(need); err != nil {
				return err
			}
		}
		out = append(out, dir)
		return nil
	}
	return out, add(environment)
}

// names of a directory's entries.
func names(fsys fs.FS, dir string) []string {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// walk calls visit for each regular file below a directory.
func walk(fsys fs.FS, dir string, visit func(name string)) {
	// A directory that is not there has no files.
	_ = fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			visit(name)
		}
		return nil
	})
}

// jinja tells whether only Ansible knows the value.
func jinja(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "{%") }
