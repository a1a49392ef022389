package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// playbooks are the verbs that the collection has a playbook for.
func playbooks(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, "playbooks", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d playbooks, %v", len(files), err)
	}
	var out []string
	for _, file := range files {
		out = append(out, strings.TrimSuffix(filepath.Base(file), ".yml"))
	}
	return out
}

// The table of verbs has all playbooks and no others.
func TestVerbs(t *testing.T) {
	var want []string
	for _, verb := range playbooks(t) {
		want = append(want, "ibforge.fabric."+verb)
	}
	same(t, read(t, "docs/roles.md"), "Verbs", want)
}

// Playbooks that documents run are there. What ibforge deploy runs is looked at
// with the other command lines.
func TestPlaybooksInExamples(t *testing.T) {
	verbs := "," + strings.Join(playbooks(t), ",") + ","
	call := regexp.MustCompile(`ansible-playbook .*\bibforge\.fabric\.(\w+)`)
	found := 0
	for _, e := range append(examples(t, "sh"), examples(t, "console")...) {
		for _, m := range call.FindAllStringSubmatch(e.block.text, -1) {
			found++
			if !strings.Contains(verbs, ","+m[1]+",") {
				t.Errorf("%s: there is no playbook ibforge.fabric.%s", e.place(), m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no document runs a playbook: the test no longer finds them")
	}
}

// The runbook has a command for every verb; deploy and reconfigure are looked
// for as the operator writes them.
func TestRunbook(t *testing.T) {
	d := read(t, "docs/operations.md")
	var commands string
	blocks, _ := d.blocks()
	for _, b := range blocks {
		if b.info == "sh" {
			commands += b.text
		}
	}
	for _, verb := range playbooks(t) {
		command := "--action " + verb
		if verb == "deploy" {
			command = "ibforge deploy --inventory inventory.yml\n"
		}
		if !strings.Contains(commands, command) {
			t.Errorf("%s has no command for the verb %s: %q", d.name, verb, command)
		}
	}
}
