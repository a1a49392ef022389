package kayobe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// kollaAlone deploys as an operator does who has Kolla-Ansible and no Kayobe:
// from Kolla's inventory and globals, with the same outcome.
func (d *deployment) kollaAlone(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	var host map[string]any
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(d.config, "inventory/host_vars", controller))), &host); err != nil {
		t.Fatal(err)
	}
	inventory, err := json.Marshal(map[string]any{
		"control":   map[string]any{"hosts": map[string]any{controller: host}},
		"ib_opensm": map[string]any{"children": map[string]any{"control": nil}},
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "inventory.json"), string(inventory))
	write(t, filepath.Join(dir, "globals.yml"), "kolla_container_engine: docker\nnode_custom_config: "+dir+"/config\n")
	out, err := call(t, []string{
		"PATH=" + d.venv + "/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + d.dir, "LANG=C.UTF-8", "ANSIBLE_NOCOLOR=1",
		"ANSIBLE_COLLECTIONS_PATH=" + filepath.Join(d.config, "ansible/collections"),
	}, filepath.Join(d.venv, "bin/ansible-playbook"), "-i", filepath.Join(dir, "inventory.json"), "-e", "@"+filepath.Join(dir, "globals.yml"),
		"-e", "@"+filepath.Join(d.config, "ibforge-images.yml"), "ibforge.fabric.deploy")
	if err != nil {
		t.Fatalf("%v\n%s", err, lastLines(out, 60))
	}
	if n := changes(t, out, "Deploy the fabric services"); n != 0 {
		t.Errorf("Kolla-Ansible alone changes %d things that Kayobe has deployed", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "config")); err == nil {
		t.Error("the deployment has written into node_custom_config")
	}
}
