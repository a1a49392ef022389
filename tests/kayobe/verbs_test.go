package kayobe

import (
	"path/filepath"
	"strings"
	"testing"
)

// everyVerb runs the wrappers that nothing else here runs, and the hooks of
// commands that carry the services along, on a deployment that is up to date.
func (d *deployment) everyVerb(t *testing.T) {
	t.Helper()
	deploy := append([]string{"overcloud", "service", "deploy"}, d.release.tags("ibnone")...)
	timed(t, "service deploy, unchanged", func() { d.kayobe(deploy...) })
	timed(t, "service deploy, --skip-hooks all", func() { d.kayobe(append(deploy, "--skip-hooks", "all")...) })

	for command, play := range map[string]string{
		"overcloud service reconfigure":  "Change the configuration of the fabric services",
		"overcloud container image pull": "Bring the images to the hosts",
	} {
		timed(t, command, func() {
			out := d.kayobe(append(strings.Fields(command), d.release.tags("ibnone")...)...)
			if n := changes(t, out, play); n != 0 {
				t.Errorf("%s changed %d things", command, n)
			}
		})
	}

	backups := filepath.Join(d.dir, "backups")
	for _, verb := range []string{"check", "pull", "reconfigure", "upgrade", "backup"} {
		timed(t, "playbook run "+verb, func() { d.playbook(verb, "-e", "ib_opensm_backup_dir="+backups) })
	}
	made, err := filepath.Glob(filepath.Join(backups, controller, "*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("found %d backups in %s, %v", len(made), backups, err)
	}
	timed(t, "playbook run restore", func() { d.playbook("restore", "-e", "ib_opensm_restore_dir="+made[0]) })
	d.playbook("stop")
	timed(t, "playbook run start", func() { d.playbook("start") })
	if _, err := d.fabric.WaitMaster(t.Context()); err != nil {
		t.Error(err)
	}
}

// removed is the confirmed end.
func (d *deployment) removed(t *testing.T) {
	t.Helper()
	if n := changes(t, d.playbook("destroy", "-e", "ib_opensm_destroy_confirm=true"), "Remove the fabric services"); n == 0 {
		t.Error("destroy has removed nothing")
	}
	if out := d.exec("docker", "ps", "--all", "--format", "{{.Names}}"); out != "" {
		t.Errorf("after destroy there are %q", out)
	}
}
