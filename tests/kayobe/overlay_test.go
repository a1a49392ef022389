package kayobe

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The list of variables is the one that the roles' specifications make.
func TestVariablesAreTheRoles(t *testing.T) {
	t.Parallel()
	root := checkout(t)
	out, err := call(t, os.Environ(), filepath.Join(root, ".cache/venv/bin/python3"), filepath.Join(root, "tests/tools/role_docs.py"),
		"--kayobe", "--check", filepath.Join(root, "kayobe/files/ibforge.yml"))
	if err != nil {
		t.Errorf("%v: %s; cure: tests/tools/role_docs.py --kayobe kayobe/files/ibforge.yml", err, out)
	}
}

// HAProxy's files are those of configs/kolla, which tests/kolla tries with all
// releases; Kayobe, which renders them first, must leave them as they are.
func TestHAProxyIsTheExamples(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"ufm", "neo"} {
		at := "kolla/haproxy/services.d/" + service + ".cfg"
		want := "{% raw %}\n" + readFile(t, filepath.Join(checkout(t), "configs", at)) + "{% endraw %}\n"
		name := filepath.Join("kayobe/features", service, strings.Replace(at, "kolla/", "kolla/config/", 1))
		if readFile(t, filepath.Join(checkout(t), name)) != want {
			t.Errorf("%s is not configs/%s between {%% raw %%} and {%% endraw %%}", name, at)
		}
	}
}

// Every playbook of the collection has one for Kayobe.
func TestEveryVerbHasAPlaybook(t *testing.T) {
	t.Parallel()
	verbs, err := filepath.Glob(filepath.Join(checkout(t), "playbooks/*.yml"))
	if err != nil || len(verbs) == 0 {
		t.Fatalf("no playbooks: %v", err)
	}
	for _, verb := range verbs {
		name := strings.TrimSuffix(filepath.Base(verb), ".yml")
		text := readFile(t, filepath.Join(checkout(t), "kayobe/files/ansible/ibforge-"+strings.ReplaceAll(name, "_", "-")+".yml"))
		if !regexp.MustCompile(`(?m)^  import_playbook: ibforge\.fabric\.` + name + "\n  tags: \\[ibforge\\]\n").MatchString(text) {
			t.Errorf("Kayobe's playbook for %s does not import it with the tag ibforge:\n%s", name, text)
		}
	}
}

// What releases.yml promises is what is run here.
func TestReleasesAreTheSupported(t *testing.T) {
	t.Parallel()
	text := readFile(t, filepath.Join(checkout(t), "kayobe/releases.yml"))
	var supported, run []string
	for _, m := range regexp.MustCompile(`(?m)^- release: "(\S+)"(?:\n +#.*)*\n  kayobe: (\d+)$`).FindAllStringSubmatch(text, -1) {
		supported = append(supported, m[1]+" "+m[2])
	}
	for _, r := range releases(t) {
		major, _, _ := strings.Cut(r.kayobe, ".")
		run = append(run, r.name+" "+major)
	}
	if !slices.Equal(supported, run) {
		t.Errorf("kayobe/releases.yml has %q, tests/tools/kayobe/releases %q", supported, run)
	}
}
