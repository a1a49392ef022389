package overlay

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scenes are the ways in which an overlay lies in a configuration.
func scenes() map[string]Options {
	return map[string]Options{
		"root":        {},
		"features":    {Features: []string{"virtual", "ufm"}},
		"environment": {Environment: "prod", Features: []string{"ufm"}},
		"collection":  {Collection: true},
	}
}

func TestInstallTwiceAndRemove(t *testing.T) {
	for name, o := range scenes() {
		t.Run(name, func(t *testing.T) {
			root := configuration(t, nil)
			before := snapshot(t, root)
			install(t, root, one().options(t, o))
			first := snapshot(t, root)
			p := install(t, root, one().options(t, Options{Environment: o.Environment}))
			if got := p.actions(); len(got) > 0 {
				t.Errorf("the second install does something: %v", got)
			}
			if diff := cmp.Diff(first, snapshot(t, root)); diff != "" {
				t.Errorf("the second install changed something:\n%s", diff)
			}
			if pending, err := p.Pending(root); pending || err != nil {
				t.Errorf("the second install is pending: %v, %v", pending, err)
			}
			uninstall(t, root, one().options(t, Options{Environment: o.Environment}))
			if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
				t.Errorf("remove leaves something else than was there before:\n%s", diff)
			}
			if p := uninstall(t, root, one().options(t, Options{Environment: o.Environment})); len(p.Changes) > 0 || len(p.Notes) != 1 {
				t.Errorf("the second remove does something: %v %v", p.actions(), p.Notes)
			}
		})
	}
}

func TestUpgradeKeepsEdits(t *testing.T) {
	root := configuration(t, nil)
	install(t, root, one().options(t, Options{}))
	edit(t, root, "ibforge.yml", "---\n# a\nb: 1\n# c\n#d:\n# e\n#f:\n")
	edit(t, root, "inventory/ibforge", "[ib-opensm]\nhost1\n")
	if err := root.Remove("ansible/ibforge-deploy.yml"); err != nil {
		t.Fatal(err)
	}
	p := install(t, root, two().options(t, Options{}))
	want := map[string]Action{
		"ibforge.yml":                Merge,
		"inventory/ibforge":          Keep,
		"inventory/ib-more":          Create,
		"ansible/ibforge-deploy.yml": Gone,
		"ansible/ibforge-check.yml":  Create,
		"ansible/ibforge-stop.yml":   Remove,
		"ansible/requirements.yml":   Update,
		"hooks/overcloud-service-stop/pre.d/20-ibforge-stop.yml": Remove,
	}
	if diff := cmp.Diff(want, p.actions()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got := snapshot(t, root)
	if want := "---\n# a\nb: 1\n# c\n#d:\n# E\n#f:\n"; got["ibforge.yml"] != want {
		t.Errorf("ibforge.yml is %q, want %q", got["ibforge.yml"], want)
	}
	if _, ok := got["hooks/overcloud-service-stop"]; ok {
		t.Error("the directory of the hook that is no more is still there")
	}
	if want := "---\n# Ours.\ncollections:\n  - name: https://github.com/ibforge/ibforge\n    type: git\n    version: v0.2.0\n  # The one.\n  - name: a.b\n    version: 1\nroles: []\n"; got["ansible/requirements.yml"] != want {
		t.Errorf("requirements.yml is %q", got["ansible/requirements.yml"])
	}
	// And remove leaves the edits alone.
	if diff := cmp.Diff(map[string]Action{"ibforge.yml": Leave, "inventory/ibforge": Leave}, edits(uninstall(t, root, two().options(t, Options{})))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func edits(p *Plan) map[string]Action {
	out := p.actions()
	maps.DeleteFunc(out, func(_ string, a Action) bool { return a.Writes() })
	return out
}

func TestConflict(t *testing.T) {
	root := configuration(t, map[string]string{"inventory/ibforge": "[mine]\n"})
	install(t, root, one().options(t, Options{}))
	const mine = "---\n# a\n#b:\n# c\n#d:\n# mine\n#f:\n"
	edit(t, root, "ibforge.yml", mine)
	for range 2 { // it stays until somebody has dealt with it
		p := install(t, root, two().options(t, Options{}))
		if diff := cmp.Diff(map[string]Action{"ibforge.yml": Conflict, "inventory/ibforge": Conflict}, edits(p)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		got := snapshot(t, root)
		if got["ibforge.yml"] != mine || got["inventory/ibforge"] != "[mine]\n" {
			t.Error("the operator's file was written over")
		}
		if got[".ibforge/new/ibforge.yml"] != two().files["files/ibforge.yml"] {
			t.Errorf("offered is %q", got[".ibforge/new/ibforge.yml"])
		}
		if got["inventory/ib-more"] == "" {
			t.Error("the rest was not done")
		}
	}
	for _, name := range []string{"ibforge.yml", "inventory/ibforge"} {
		if err := root.Remove(".ibforge/new/" + name); err != nil {
			t.Fatal(err)
		}
	}
	p := install(t, root, two().options(t, Options{}))
	if diff := cmp.Diff(map[string]Action{"ibforge.yml": Keep, "inventory/ibforge": Keep}, p.actions()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got := snapshot(t, root)
	if got["ibforge.yml"] != mine || got[".ibforge/new"] != "" || got[".ibforge/base/ibforge.yml"] != two().files["files/ibforge.yml"] {
		t.Errorf("it is not settled: %v", got)
	}
}
