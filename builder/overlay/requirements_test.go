package overlay

import (
	"os"
	"strings"
	"testing"
)

const added = "  - name: https://github.com/ibforge/ibforge\n    type: git\n    version: v0.1.0\n"

func TestRequirements(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		action     Action
	}{
		"none":                {"", "---\ncollections:\n" + added, Create},
		"only roles":          {"---\nroles:\n  - src: a.b\n", "---\nroles:\n  - src: a.b\ncollections:\n" + added, Update},
		"no last newline":     {"roles: []", "roles: []\ncollections:\n" + added, Update},
		"only a comment":      {"---\n# None yet.\n", "---\n# None yet.\ncollections:\n" + added, Update},
		"key without a value": {"collections:\nroles: []\n", "collections:\n" + added + "roles: []\n", Update},
		"key at the end":      {"roles: []\ncollections:", "roles: []\ncollections:\n" + added, Update},
		"empty list":          {"collections: [] # none\n", "collections: # none\n" + added, Update},
		"a list":              {"collections:\n  # The one.\n  - a.b # x\nroles: []\n", "collections:\n" + added + "  # The one.\n  - a.b # x\nroles: []\n", Update},
		"a list not indented": {"collections:\n- a.b\n", "collections:\n" + strings.ReplaceAll(strings.TrimPrefix(added, "  "), "\n  ", "\n") + "- a.b\n", Update},
		"indented by four":    {"collections:\n    - a.b\n", "collections:\n" + strings.ReplaceAll("\n"+strings.TrimSuffix(added, "\n"), "\n", "\n  ")[1:] + "\n    - a.b\n", Update},
		"listed":              {"collections:\n" + added, "", Same},
		"listed by name":      {"collections:\n  - name: ibforge.fabric\n    version: 9.9.9\n", "", Keep},
		"listed as a word":    {"collections:\n  - ibforge.fabric\n", "", Keep},
		"on one line":         {"collections: [a.b]\n", "", Conflict},
		"a document's end":    {"roles: []\n...\n", "", Conflict},
		"of the old form":     {"- src: a.b\n", "", Conflict},
		"no YAML":             {"collections: [\n", "", Conflict},
		"no list":             {"collections: {a: b}\n", "", Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if err := root.Mkdir("ansible", 0o755); err != nil {
				t.Fatal(err)
			}
			if c.text != "" {
				edit(t, root, requirementsName, c.text)
			}
			got, ins, err := requirements(root, nil, true, "0.1.0")
			if err != nil || got.Action != c.action {
				t.Fatalf("%s %q, %v; want %s", got.Action, got.Why, err, c.action)
			}
			if !got.Action.Writes() {
				return
			}
			if got.After.Text != c.want {
				t.Fatalf("got\n%s\nwant\n%s", got.After.Text, c.want)
			}
			edit(t, root, requirementsName, c.want)
			if again, _, err := requirements(root, ins, true, "0.1.0"); err != nil || again.Action != Same {
				t.Errorf("the second time: %s, %v", again.Action, err)
			}
			next, newer, err := requirements(root, ins, true, "0.2.0")
			if err != nil || next.After.Text != strings.Replace(c.want, "v0.1.0", "v0.2.0", 1) {
				t.Errorf("the next release makes %q, %v", next.After.Text, err)
			}
			edit(t, root, requirementsName, next.After.Text+"# mine\n")
			back, _, err := requirements(root, newer, false, "0.2.0")
			if err != nil || back.After == nil || back.After.Text != c.text+"# mine\n" {
				t.Errorf("remove makes %+v of it, %v", back.After, err)
			}
		})
	}
}

// An entry that somebody else wrote is theirs.
func TestRequirementsOfOthers(t *testing.T) {
	root := configuration(t, map[string]string{requirementsName: "collections:\n  - name: ibforge.fabric\n    version: 1.0.0\n"})
	before := snapshot(t, root)
	install(t, root, one().options(t, Options{}))
	uninstall(t, root, one().options(t, Options{}))
	if got := snapshot(t, root)[requirementsName]; got != before[requirementsName] {
		t.Errorf("it is %q", got)
	}
	// One that was ours and is edited stays too, and the rest goes.
	root = configuration(t, nil)
	install(t, root, one().options(t, Options{}))
	edited := strings.Replace(snapshot(t, root)[requirementsName], "v0.1.0", "main", 1)
	edit(t, root, requirementsName, edited)
	if p := install(t, root, two().options(t, Options{})); p.actions()[requirementsName] != Keep {
		t.Errorf("%v", p.actions())
	}
	if p := uninstall(t, root, two().options(t, Options{})); p.actions()[requirementsName] != Leave || snapshot(t, root)[requirementsName] != edited {
		t.Errorf("%v", p.actions())
	}
}
