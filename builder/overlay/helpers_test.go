package overlay

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
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

// memory is a directory that needs no disk: the tests of kills make and unmake
// thousands of files.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ibforge-") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// configuration makes a Kayobe configuration in a new directory.
func configuration(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	dir := filepath.Join(memory(t), "etc", "kayobe")
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
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root
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

func install(t *testing.T, d Disk, o Options) *Plan {
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

func uninstall(t *testing.T, d Disk, o Options) *Plan {
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

func (p *Plan) actions() map[string]Action {
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
