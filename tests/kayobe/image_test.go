package kayobe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// The playbook builds what has hosts, pushes it into the deployment's registry,
// and leaves the digest where Kayobe reads it.
func (d *deployment) imageBuild(t *testing.T) {
	t.Helper()
	program, err := exec.LookPath("ibforge")
	if err != nil {
		t.Fatal(err)
	}
	registry := labtest.Registry(t)
	d.write("container-engine.yml", "docker_registry: "+registry.Address()+"\n")
	vars := `{"ibforge_program": "` + program + `", "ibforge_project": "` + checkout(t) + `", "ibforge_push_args": ["--plain-http", "--store", "` + store(t) +
		`"], "ibforge_build_args": ["--store", "` + store(t) + `"]}`
	built.mu.Lock()
	defer built.mu.Unlock()
	build := append(d.page("kayobe playbook run $KAYOBE_CONFIG_PATH/ansible/ibforge-image-build.yml"), "-e", vars)
	d.kayobe(build...)
	out := d.kayobe(build...)
	if !strings.Contains(out, "changed=0") {
		t.Errorf("nothing is new, and the playbook says something else:\n%s", lastLines(out, 30))
	}
	var images struct {
		Images map[string]struct{ Pushed string } `yaml:"ibforge_images"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(d.config, "ibforge-images.yml"))), &images); err != nil {
		t.Fatal(err)
	}
	if at := registry.Address() + "/ibforge/opensm@sha256:"; !strings.HasPrefix(images.Images["opensm"].Pushed, at) || len(images.Images) != 1 {
		t.Errorf("the images file has %+v, want one at %s", images, at)
	}
	// Kayobe reads it by itself.
	if out := d.kayobe("configuration", "dump", "--host", controller, "--var-name", "ibforge_images", "--skip-hooks", "all"); !strings.Contains(out, "opensm@sha256:") {
		t.Errorf("Kayobe does not hand the images on:\n%s", lastLines(out, 30))
	}
}

// anotherProject has an OpenSM with a file more, such as usr/share/x.
func anotherProject(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "images"), os.DirFS(filepath.Join(checkout(t), "images"))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "images/opensm/rootfs", file), "of tests/kayobe\n")
	return dir
}
