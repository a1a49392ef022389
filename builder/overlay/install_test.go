package overlay

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// release is a small overlay and collection.
type release struct {
	version string
	files   map[string]string
}

func one() release {
	return release{"0.1.0", map[string]string{
		"hooks.yml": "- {command: overcloud-service-deploy, when: post, order: 20, playbook: ibforge-deploy.yml, why: because}\n" +
			"- {command: overcloud-service-stop, when: pre, order: 20, playbook: ibforge-stop.yml, why: because}\n" +
			"- {command: overcloud-service-deploy, when: post, order: 30, playbook: ibforge-ufm.yml, feature: ufm, why: because}\n",
		"features.yml":                                "sdn: {description: SDN}\nufm: {description: UFM}\nvirtual: {description: VMs, needs: [sdn]}\n",
		"releases.yml":                                "- {release: \"2025.1\", kayobe: 18}\n",
		"files/ibforge.yml":                           "---\n# a\n#b:\n# c\n#d:\n# e\n#f:\n",
		"files/ansible/ibforge-deploy.yml":            "- import_playbook: deploy\n",
		"files/ansible/ibforge-stop.yml":              "- import_playbook: stop\n",
		"files/inventory/ibforge":                     "[ib-opensm:children]\ncontrollers\n",
		"features/sdn/kolla/config/neutron/ml2.ini":   "[ml2]\n",
		"features/ufm/ansible/ibforge-ufm.yml":        "- import_playbook: ufm\n",
		"features/ufm/kolla/config/haproxy/ufm.cfg":   "listen ufm\n",
		"features/virtual/kolla/config/neutron/a.ini": "[a]\n",
	}}
}

// two changes a file, adds one, takes one away.
func two() release {
	r := release{"0.2.0", maps.Clone(one().files)}
	r.files["files/ibforge.yml"] = "---\n# a\n#b:\n# c\n#d:\n# E\n#f:\n"
	r.files["files/inventory/ib-more"] = "[ib-more]\n"
	r.files["files/ansible/ibforge-check.yml"] = "- import_playbook: check\n"
	delete(r.files, "files/ansible/ibforge-stop.yml")
	r.files["hooks.yml"] = "- {command: overcloud-service-deploy, when: post, order: 20, playbook: ibforge-deploy.yml, why: because}\n"
	return r
}

func (r release) options(t *testing.T, o Options) Options {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range r.files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	var err error
	if o.Source, err = ReadSource(fsys); err != nil {
		t.Fatal(err)
	}
	o.Shipped, err = ReadCollection(fstest.MapFS{
		"galaxy.yml":              {Data: []byte("version: " + r.version + "\nbuild_ignore: [\"*.go\", tests]\n")},
		"roles/a/tasks/main.yml":  {Data: []byte("# " + r.version + "\n")},
		"plugins/modules/x.py":    {Data: []byte("x\n")},
		"plugins/modules/x.go":    {Data: []byte("x\n")},
		"tests/integration/x.yml": {Data: []byte("x\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// configuration makes a Kayobe configuration in a new directory.
func configuration(t *testing.T, files map[string]string) (string, *os.Root) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "etc", "kayobe")
	all := map[string]string{
		"kolla.yml":                "---\n",
		"networks.yml":             "---\n",
		"inventory/hosts":          "localhost\n",
		"ansible/own.yml":          "- hosts: all\n",
		"ansible/requirements.yml": "---\n# Ours.\ncollections:\n  # The one.\n  - name: a.b\n    version: 1\nroles: []\n",
		"environments/prod/x.yml":  "---\n",
		"environments/test/x.yml":  "---\n",
	}
	maps.Copy(all, files)
	for name, text := range all {
		if text == "" {
			continue
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return dir, root
}

// snapshot is all that is in a directory, empty directories too.
func snapshot(t *testing.T, root *os.Root) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			out[name] = "dir"
		case d.Type()&fs.ModeSymlink != 0:
			target, err := root.Readlink(name)
			out[name] = "-> " + target
			return err
		default:
			raw, err := root.ReadFile(name)
			out[name] = string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// visible leaves our records out.
func visible(all map[string]string) map[string]string {
	out := maps.Clone(all)
	maps.DeleteFunc(out, func(name, _ string) bool { return strings.Contains(name+"/", Directory+"/") })
	return out
}

func install(t *testing.T, d Disk, o Options) Plan {
	t.Helper()
	p, err := Install(d, o)
	if err == nil {
		err = p.Apply(d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func uninstall(t *testing.T, d Disk, o Options) Plan {
	t.Helper()
	p, err := Uninstall(d, o)
	if err == nil {
		err = p.Apply(d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p Plan) actions() map[string]Action {
	out := map[string]Action{}
	for _, c := range p.Changes {
		if c.Action != Same {
			out[c.Path] = c.Action
		}
	}
	return out
}

func edit(t *testing.T, root *os.Root, name, text string) {
	t.Helper()
	if err := root.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

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
			_, root := configuration(t, nil)
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
	_, root := configuration(t, nil)
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

func edits(p Plan) map[string]Action {
	out := p.actions()
	maps.DeleteFunc(out, func(_ string, a Action) bool { return a.Writes() })
	return out
}

func TestConflict(t *testing.T) {
	_, root := configuration(t, map[string]string{"inventory/ibforge": "[mine]\n"})
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

func TestTwoEnvironments(t *testing.T) {
	_, root := configuration(t, nil)
	before := snapshot(t, root)
	install(t, root, one().options(t, Options{Environment: "prod", Features: []string{"ufm"}}))
	install(t, root, one().options(t, Options{Environment: "test"}))
	got := visible(snapshot(t, root))
	for _, name := range []string{
		"ansible/ibforge-deploy.yml", "ansible/ibforge-ufm.yml", "environments/prod/ibforge.yml", "environments/test/ibforge.yml",
		"environments/prod/kolla/config/haproxy/ufm.cfg",
	} {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"ibforge.yml", "hooks", "environments/test/kolla", "environments/test/ansible"} {
		if _, ok := got[name]; ok {
			t.Errorf("%s is there", name)
		}
	}
	const hook = "hooks/overcloud-service-deploy/post.d/20-ibforge-deploy.yml"
	if target := got["environments/prod/"+hook]; target != "-> ../../../../../ansible/ibforge-deploy.yml" {
		t.Errorf("the hook is %q", target)
	}
	if _, err := root.Stat("environments/prod/" + hook); err != nil {
		t.Errorf("the hook leads nowhere: %v", err)
	}
	// The playbooks go with the last environment.
	uninstall(t, root, one().options(t, Options{Environment: "prod"}))
	got = visible(snapshot(t, root))
	if _, ok := got["ansible/ibforge-deploy.yml"]; !ok {
		t.Error("the playbooks are gone, and the environment test needs them")
	}
	if _, ok := got["ansible/ibforge-ufm.yml"]; ok {
		t.Error("no environment needs UFM's playbook any more")
	}
	uninstall(t, root, one().options(t, Options{Environment: "test"}))
	if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
		t.Errorf("something else is left than was there:\n%s", diff)
	}
}

// What the root has is not there a second time in an environment: Kayobe joins
// the files of both.
func TestEnvironmentBesideRoot(t *testing.T) {
	_, root := configuration(t, nil)
	install(t, root, one().options(t, Options{}))
	p := install(t, root, one().options(t, Options{Environment: "prod", Features: []string{"ufm"}}))
	if diff := cmp.Diff(map[string]Action{
		"ansible/ibforge-ufm.yml":                                                    Create,
		"environments/prod/kolla/config/haproxy/ufm.cfg":                             Create,
		"environments/prod/hooks/overcloud-service-deploy/post.d/30-ibforge-ufm.yml": Create,
	}, p.actions()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// remove at the root leaves what the environment needs.
	p = uninstall(t, root, one().options(t, Options{}))
	got := visible(snapshot(t, root))
	if _, ok := got["ansible/ibforge-deploy.yml"]; !ok || got["ibforge.yml"] != "" || len(p.Notes) != 1 {
		t.Errorf("%v %v", p.Notes, got)
	}
	// Now the environment has to have it all.
	p = install(t, root, one().options(t, Options{Environment: "prod"}))
	if p.actions()["environments/prod/ibforge.yml"] != Create {
		t.Errorf("%v", p.actions())
	}
}

func TestFeatures(t *testing.T) {
	_, root := configuration(t, nil)
	p := install(t, root, one().options(t, Options{Features: []string{"virtual"}}))
	if diff := cmp.Diff([]string{"sdn", "virtual"}, p.Features); diff != "" {
		t.Error(diff)
	}
	_, err := Install(root, one().options(t, Options{Without: []string{"sdn"}, Features: []string{"smn"}}))
	want := "there is no feature \"smn\"; did you mean \"sdn\"?; there are sdn, ufm, virtual\nfeature \"virtual\" needs \"sdn\"; take both away, or none"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	p = install(t, root, one().options(t, Options{Without: []string{"virtual"}}))
	if diff := cmp.Diff(map[string]Action{"kolla/config/neutron/a.ini": Remove}, p.actions()); diff != "" {
		t.Error(diff)
	}
}

func TestCollection(t *testing.T) {
	_, root := configuration(t, nil)
	install(t, root, one().options(t, Options{Collection: true}))
	got := snapshot(t, root)
	var files []string
	for name := range got {
		if rest, ok := strings.CutPrefix(name, CollectionDir+"/"); ok && got[name] != "dir" {
			files = append(files, rest)
		}
	}
	if len(files) != 4 || got[CollectionDir+"/galaxy.yml"] == "" || strings.Contains(got["ansible/requirements.yml"], "ibforge") {
		t.Errorf("%q, and requirements.yml is %q", files, got["ansible/requirements.yml"])
	}
	// An update replaces it; Python's caches are no edit.
	if err := root.MkdirAll(CollectionDir+"/plugins/modules/__pycache__", 0o755); err != nil {
		t.Fatal(err)
	}
	edit(t, root, CollectionDir+"/plugins/modules/__pycache__/x.pyc", "x")
	install(t, root, two().options(t, Options{}))
	if got := snapshot(t, root)[CollectionDir+"/roles/a/tasks/main.yml"]; got != "# 0.2.0\n" {
		t.Errorf("the task is %q", got)
	}
	edit(t, root, CollectionDir+"/roles/a/tasks/main.yml", "# mine\n")
	edit(t, root, CollectionDir+"/roles/a/tasks/new.yml", "# mine\n")
	_, err := Install(root, two().options(t, Options{}))
	if want := CollectionDir + " was edited (roles/a/tasks/main.yml, roles/a/tasks/new.yml), and is replaced as a whole; take the edits out, or move the directory away, or leave --collection out"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if p := uninstall(t, root, two().options(t, Options{})); p.actions()[CollectionDir] != Leave {
		t.Errorf("%v", p.actions())
	}
	_, root = configuration(t, map[string]string{CollectionDir + "/galaxy.yml": "version: 1\n"})
	if _, err := Install(root, two().options(t, Options{Collection: true})); err == nil || !strings.Contains(err.Error(), "was not written by ibforge") {
		t.Errorf("got %v", err)
	}
}
