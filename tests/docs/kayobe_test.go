package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The table of Kayobe's commands is that of the hooks.
func TestHooksInKayobePage(t *testing.T) {
	var hooks []struct{ Command, When, Playbook string }
	if err := yaml.Unmarshal([]byte(read(t, "kayobe/hooks.yml").text), &hooks); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, h := range hooks {
		when := map[string]string{"pre": "before", "post": "after"}[h.When]
		want = append(want, strings.ReplaceAll(strings.TrimPrefix(h.Command, "overcloud-"), "-", " ")+" "+when)
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z ]+)` \\| (before|after) \\|").FindAllStringSubmatch(read(t, "docs/kayobe.md").text, -1) {
		got = append(got, m[1]+" "+m[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docs/kayobe.md has %q, kayobe/hooks.yml %q", got, want)
	}
}

// Playbooks of the overlay that a document names are there.
func TestOverlayPlaybooks(t *testing.T) {
	found := 0
	for _, d := range documents(t) {
		for _, m := range regexp.MustCompile(`ansible/(ibforge-[a-z-]+\.yml)`).FindAllStringSubmatch(d.text, -1) {
			found++
			if _, err := os.Stat(filepath.Join(repository, "kayobe/files/ansible", m[1])); err != nil {
				t.Errorf("%s: %v", d.name, err)
			}
		}
	}
	if found == 0 {
		t.Error("no document names a playbook of the overlay: the test no longer finds them")
	}
}
