package kayobe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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
	inventory, err := json.Marshal(map[string]any{"control": map[string]any{"hosts": map[string]any{controller: host}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "multinode.json"), string(inventory))
	write(t, filepath.Join(dir, "ibforge"), pageBlock(t, "ini", "# beside Kolla's inventory"))
	write(t, filepath.Join(dir, "globals.yml"), "kolla_container_engine: docker\nnode_custom_config: "+dir+"/config\n")
	// What the page calls by names relative to a directory.
	at := []string{
		"@/etc/kolla/globals.yml", "@" + filepath.Join(dir, "globals.yml"), "@ibforge-images.yml", "@" + filepath.Join(d.config, "ibforge-images.yml"),
		"multinode", filepath.Join(dir, "multinode.json"),
	}
	out := ""
	for _, line := range [][]string{
		d.page("ansible-playbook -i multinode -i ibforge -e @/etc/kolla/globals.yml -e @ibforge-images.yml ibforge.fabric.precheck", at...),
		d.page("ansible-playbook -i multinode -i ibforge -e @/etc/kolla/globals.yml -e @ibforge-images.yml ibforge.fabric.deploy", at...),
	} {
		line[slices.Index(line, "ibforge")] = filepath.Join(dir, "ibforge")
		out, err = call(t, []string{
			"PATH=" + d.venv + "/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + d.dir, "LANG=C.UTF-8", "ANSIBLE_NOCOLOR=1",
			"ANSIBLE_COLLECTIONS_PATH=" + filepath.Join(d.config, "ansible/collections"),
		}, append([]string{filepath.Join(d.venv, "bin/ansible-playbook")}, line...)...)
		if err != nil {
			t.Fatalf("ansible-playbook %q: %v\n%s", line, err, lastLines(out, 60))
		}
	}
	if n := changes(t, out, "Deploy the fabric services"); n != 0 {
		t.Errorf("Kolla-Ansible alone changes %d things that Kayobe has deployed", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "config")); err == nil {
		t.Error("the deployment has written into node_custom_config")
	}
}
