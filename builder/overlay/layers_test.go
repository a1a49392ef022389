package overlay

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTwoEnvironments(t *testing.T) {
	root := configuration(t, nil)
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
	root := configuration(t, nil)
	install(t, root, one().options(t, Options{}))
	before := snapshot(t, root)
	p := install(t, root, one().options(t, Options{Environment: "prod"}))
	if diff := cmp.Diff(before, snapshot(t, root)); diff != "" || len(p.Notes) != 1 {
		t.Errorf("%v, and there was nothing to do:\n%s", p.Notes, diff)
	}
	p = install(t, root, one().options(t, Options{Environment: "prod", Features: []string{"ufm"}}))
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
	root := configuration(t, nil)
	p := install(t, root, one().options(t, Options{Features: []string{"virtual"}}))
	if diff := cmp.Diff([]string{"sdn", "virtual"}, p.Features); diff != "" {
		t.Error(diff)
	}
	_, err := Install(root, one().options(t, Options{Without: []string{"sdn"}, Features: []string{"smn"}}))
	want := "there is no feature \"smn\"; there are sdn, ufm, virtual. Did you mean \"sdn\"?\nfeature \"virtual\" needs \"sdn\"; take both away, or none"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	p = install(t, root, one().options(t, Options{Without: []string{"virtual"}}))
	if diff := cmp.Diff(map[string]Action{"kolla/config/neutron/a.ini": Remove}, p.actions()); diff != "" {
		t.Error(diff)
	}
}

func TestCollection(t *testing.T) {
	root := configuration(t, nil)
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
	root = configuration(t, map[string]string{CollectionDir + "/galaxy.yml": "version: 1\n"})
	if _, err := Install(root, two().options(t, Options{Collection: true})); err == nil || !strings.Contains(err.Error(), "was not written by ibforge") {
		t.Errorf("got %v", err)
	}
}

// A copy that somebody changed is no base to merge with; the manifest still
// tells what was not edited.
func TestCopyThatWasChanged(t *testing.T) {
	root := configuration(t, nil)
	install(t, root, one().options(t, Options{}))
	edit(t, root, ".ibforge/base/ibforge.yml", "x\n")
	if p := install(t, root, two().options(t, Options{})); p.actions()["ibforge.yml"] != Update {
		t.Errorf("%v", p.actions())
	}
	edit(t, root, ".ibforge/base/ibforge.yml", "x\n")
	edit(t, root, "ibforge.yml", "mine\n")
	p := install(t, root, one().options(t, Options{}))
	for _, c := range p.Conflicts() {
		if c.Path != "ibforge.yml" || c.New != ".ibforge/new/ibforge.yml" || !strings.Contains(c.Why, "is lost") {
			t.Errorf("%+v", c)
		}
	}
	if len(p.Conflicts()) != 1 {
		t.Errorf("%v", p.actions())
	}
}
