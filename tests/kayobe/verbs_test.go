package kayobe

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everyVerb has Kayobe run what nothing else here runs, on a deployment that is
// up to date: the hooks of commands that carry the services along, and the
// playbooks of what is done by hand.
func (d *deployment) everyVerb(t *testing.T) {
	t.Helper()
	timed(t, "container image pull, --skip-hooks ibforge", func() {
		pull := append([]string{"overcloud", "container", "image", "pull", "--skip-hooks", "ibforge"}, d.release.tags("ibnone")...)
		if ran := plays(d.kayobe(pull...)); slices.Contains(ran, "Bring the images to the hosts") {
			t.Errorf("a hook that is to be skipped is among the plays %q", ran)
		}
	})
	for command, play := range map[string]string{
		"overcloud service prechecks":    "Look whether the hosts can run their services",
		"overcloud service reconfigure":  "Change the configuration of the fabric services",
		"overcloud container image pull": "Bring the images to the hosts",
	} {
		if n := d.fires(t, play, append(strings.Fields(command), d.release.tags("ibnone")...)...); n != 0 {
			t.Errorf("%s changed %d things", command, n)
		}
	}
	d.upgrade(t)
	timed(t, "playbook run check", func() { d.kayobe(d.page("kayobe playbook run $KAYOBE_CONFIG_PATH/ansible/ibforge-check.yml")...) })

	backups := filepath.Join(d.dir, "backups")
	timed(t, "playbook run backup", func() { d.playbook("backup", "-e", "ib_opensm_backup_dir="+backups) })
	made, err := filepath.Glob(filepath.Join(backups, controller, "*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("found %d backups in %s, %v", len(made), backups, err)
	}
	timed(t, "playbook run restore", func() { d.playbook("restore", "-e", "ib_opensm_restore_dir="+made[0]) })
	d.playbook("stop")
	timed(t, "playbook run start", func() { d.playbook("start") })
	d.master(t)
	d.fabricStays(t)
}

// fabricStays destroys the cloud alone.
func (d *deployment) fabricStays(t *testing.T) {
	t.Helper()
	line := d.page("kayobe overcloud service destroy --yes-i-really-really-mean-it --skip-hooks ibforge-destroy")
	timed(t, "service destroy, --skip-hooks ibforge-destroy", func() {
		// Whatever comes of Kayobe's own, last part of it; 16 to 18 fail there.
		out, err := d.try(append(line, d.release.tags("ibnone")...)...)
		if ran := plays(out); len(ran) == 0 || slices.Contains(ran, "Remove the fabric services") {
			t.Errorf("%v; the plays were %q", err, ran)
		}
	})
	d.master(t)
}

// removed is the confirmed end, whatever comes of Kayobe's own part.
func (d *deployment) removed(t *testing.T) {
	t.Helper()
	destroy := []string{"overcloud", "service", "destroy", "--yes-i-really-really-mean-it", "-e", "ib_opensm_destroy_confirm=true"}
	if n, _ := d.fire(t, "Remove the fabric services", append(destroy, d.release.tags("ibnone")...)...); n == 0 {
		t.Error("destroy has removed nothing")
	}
	if out := d.exec("docker", "ps", "--all", "--format", "{{.Names}}"); out != "" {
		t.Errorf("after destroy there are %q", out)
	}
}
