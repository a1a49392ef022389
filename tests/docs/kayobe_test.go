package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// Every line of Kayobe and Ansible in the page is one that tests/kayobe takes
// out of it and runs. The collection comes there out of the program: Galaxy
// would fetch the published one.
func TestKayobeLinesAreRun(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(repository, "tests/kayobe/*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		tests.WriteString(read(t, strings.TrimPrefix(filepath.ToSlash(file), repository+"/")).text)
	}
	blocks, _ := read(t, "docs/kayobe.md").blocks()
	found := map[string]int{}
	for _, b := range blocks {
		if b.info != "sh" {
			continue
		}
		for line := range strings.Lines(b.text) {
			line = strings.TrimSuffix(line, "\n")
			program, _, _ := strings.Cut(line, " ")
			found[program]++
			switch program {
			case "kayobe", "ansible-playbook":
				if !strings.Contains(tests.String(), ".page("+strconv.Quote(line)) {
					t.Errorf("docs/kayobe.md:%d: no test of tests/kayobe runs %q", b.line, line)
				}
			case "ibforge", "git", "ansible-galaxy":
			default:
				t.Errorf("docs/kayobe.md:%d: %q is of a program that the tests do not know there", b.line, line)
			}
		}
	}
	if found["kayobe"] == 0 || found["ansible-playbook"] == 0 {
		t.Errorf("the page has no lines of both: %v", found)
	}
}

// The page's releases are those that tests/kayobe runs.
func TestReleasesInKayobePage(t *testing.T) {
	var got, want [][]string
	for line := range strings.Lines(read(t, "docs/kayobe.md").section(t, "Releases")) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| 2") {
			got = append(got, []string{strings.TrimPrefix(cells[0], "| "), cells[1], cells[2]})
		}
	}
	for line := range strings.Lines(read(t, "tests/tools/kayobe/releases").text) {
		if f := strings.Fields(line); len(f) > 3 && f[0] != "#" {
			want = append(want, f[:3])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/kayobe.md, Releases (-tests/tools/kayobe/releases +document):\n%s", diff)
	}
}
