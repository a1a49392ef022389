package kayobe

import (
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// install brings the overlay into the configuration.
func (d *deployment) install(features ...string) {
	d.t.Helper()
	overlay := filepath.Join(checkout(d.t), "kayobe")
	for _, tree := range append([]string{"files"}, prefixed("features/", features)...) {
		// The example's files are not ours, and have other names.
		if err := os.CopyFS(d.config, os.DirFS(filepath.Join(overlay, tree))); err != nil {
			d.t.Fatal(err)
		}
	}
	var hooks []struct {
		Command, When, Playbook string
		Order                   int
	}
	if err := yaml.Unmarshal([]byte(readFile(d.t, filepath.Join(overlay, "hooks.yml"))), &hooks); err != nil {
		d.t.Fatal(err)
	}
	for _, h := range hooks {
		dir := filepath.Join(d.config, "hooks", h.Command, h.When+".d")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.Symlink("../../../ansible/"+h.Playbook, filepath.Join(dir, "20-"+h.Playbook)); err != nil {
			d.t.Fatal(err)
		}
	}
	collections := filepath.Join(d.config, "ansible/collections/ansible_collections/ibforge")
	if err := os.MkdirAll(collections, 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Symlink(checkout(d.t), filepath.Join(collections, "fabric")); err != nil {
		d.t.Fatal(err)
	}
}

func prefixed(prefix string, names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, prefix+strings.TrimSpace(n))
	}
	return out
}
