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
		timed(t, "playbook run precheck", func() { d.playbook("precheck") })
		timed(t, "playbook run deploy --check", func() { d.playbook("deploy", "--check", "--diff", "--limit", "controllers") })
		out := ""
		timed(t, "service deploy", func() {
			out = d.kayobe(append([]string{"overcloud", "service", "deploy"}, r.tags("ibnone")...)...)
		})
		if n := changes(t, out, "Deploy the fabric services"); n == 0 {
			t.Error("the first deployment has changed nothing")
		}
		if sm, err := d.fabric.WaitMaster(t.Context()); err != nil || sm.State != lab.SMMaster {
			t.Errorf("%+v, %v", sm, err)
		}
		timed(t, "playbook run deploy, unchanged", func() { out = d.playbook("deploy", "--tags", "ibforge") })
		if n := changes(t, out, "Deploy the fabric services"); n != 0 {
			t.Errorf("the second deployment has changed %d things", n)
		}
		timed(t, "Kolla-Ansible alone", func() { d.kollaAlone(t) })
		whole := os.Getenv(matrixEnv) != ""
		if whole {
			d.everyVerb(t)
		}
		timed(t, "stop and destroy", func() { d.refuses(t) })
		timed(t, "image build", func() { d.imageBuild(t) })
		if whole {
			d.removed(t)
		}
	})
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
	if sm, err := d.fabric.WaitMaster(t.Context()); err != nil || sm.State != lab.SMMaster {
		t.Errorf("after what was refused: %+v, %v", sm, err)
	}
	// Whatever comes of Kayobe's own part of it; 20 and 21 fail there.
	out, _ = d.try(append([]string{"overcloud", "service", "stop", "--yes-i-really-really-mean-it"}, d.release.tags("ibnone")...)...)
	if n := changes(t, out, "Stop the fabric services"); n == 0 {
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
