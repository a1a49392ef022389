package kayobe

import (
	"testing"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

// OpenSM on the controller: Kayobe's own commands carry it along.
func TestFlat(t *testing.T) { //nolint:tparallel // its parts are, by release
	forReleases(t, func(t *testing.T, r release) {
		d := newDeployment(t, r)
		d.lab("opensm")
		timed(t, "precheck", func() { d.playbook("precheck") })
		timed(t, "check", func() { d.playbook("deploy", "--check", "--diff") })
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
		timed(t, "again", func() { out = d.playbook("deploy") })
		if n := changes(t, out, "Deploy the fabric services"); n != 0 {
			t.Errorf("the second deployment has changed %d things", n)
		}
	})
}

// timed logs how long something took.
func timed(t *testing.T, what string, do func()) {
	t.Helper()
	start := time.Now()
	do()
	t.Logf("%6.1fs  %s", time.Since(start).Seconds(), what)
}
