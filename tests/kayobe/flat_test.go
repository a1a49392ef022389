package kayobe

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

// OpenSM on the controller: Kayobe's own commands carry it along.
func TestFlat(t *testing.T) { //nolint:tparallel // its parts are parallel, in forReleases
	t.Parallel()
	forReleases(t, ends, func(t *testing.T, r release) {
		t.Helper()
		d := newDeployment(t, r)
		d.lab("opensm")
		d.settle()
		whole := os.Getenv(matrixEnv) != ""
		if whole {
			d.hostConfigure(t)
		}
		timed(t, "playbook run precheck", func() { d.playbook("precheck") })
		timed(t, "playbook run deploy --check", func() {
			d.kayobe(d.page("kayobe playbook run $KAYOBE_CONFIG_PATH/ansible/ibforge-deploy.yml --check --diff")...)
		})
		if n := d.fires(t, "Deploy the fabric services", append(d.page("kayobe overcloud service deploy"), r.tags("ibnone")...)...); n == 0 {
			t.Error("the first deployment has changed nothing")
		}
		d.master(t)
		d.settled(t)
		timed(t, "playbook run deploy, unchanged", func() {
			again := d.page("kayobe playbook run $KAYOBE_CONFIG_PATH/ansible/ibforge-deploy.yml --limit controller0")
			if n := changes(t, d.kayobe(append(again, "--tags", "ibforge")...), "Deploy the fabric services"); n != 0 {
				t.Errorf("the second deployment has changed %d things", n)
			}
		})
		timed(t, "Kolla-Ansible alone", func() { d.kollaAlone(t) })
		if whole {
			d.everyVerb(t)
		}
		timed(t, "stop and destroy", func() { d.refuses(t) })
		timed(t, "image build", func() { d.imageBuild(t) })
		if whole {
			d.removed(t)
			d.allFired(t)
		}
	})
}

// master waits until the fabric has one.
func (d *deployment) master(t *testing.T) {
	t.Helper()
	if sm, err := d.fabric.WaitMaster(t.Context()); err != nil || sm.State != lab.SMMaster {
		t.Errorf("%+v, %v", sm, err)
	}
}

// refuses tries the hooks that take away: what was not confirmed is left.
func (d *deployment) refuses(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ verb, message string }{
		{"stop", "Nothing has been stopped"}, {"destroy", "Nothing has been removed"},
	} {
		out, err := d.try("overcloud", "service", c.verb)
		if err == nil || !strings.Contains(out, c.message) {
			t.Errorf("an unconfirmed %s: %v\n%s", c.verb, err, lastLines(out, 40))
		}
	}
	// Kayobe's confirmation of destroy is none for the fabric.
	out, err := d.try("overcloud", "service", "destroy", "--yes-i-really-really-mean-it")
	if err == nil || !strings.Contains(out, "ib_opensm_destroy_confirm=true") || strings.Contains(out, "kolla-ansible") {
		t.Errorf("destroy without a word for the fabric: %v\n%s", err, lastLines(out, 40))
	}
	d.master(t)
	// Whatever comes of Kayobe's own part of it; 20 and 21 fail there.
	stop := append([]string{"overcloud", "service", "stop", "--yes-i-really-really-mean-it"}, d.release.tags("ibnone")...)
	if n, _ := d.fire(t, "Stop the fabric services", stop...); n == 0 {
		t.Error("the confirmed stop has stopped nothing")
	}
}

// timed logs how long something took.
func timed(t *testing.T, what string, do func()) {
	t.Helper()
	start := time.Now()
	do()
	t.Logf("%6.1fs  %s", time.Since(start).Seconds(), what)
}
