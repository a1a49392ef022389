package kayobe

import (
	"strings"
	"testing"
)

// UFM and NEO on a controller on which Horizon and HAProxy will be.
func TestMultitenant(t *testing.T) { //nolint:tparallel // its parts are parallel, in forReleases
	t.Parallel()
	forReleases(t, newest, func(t *testing.T, r release) {
		t.Helper()
		d := newDeployment(t, r, "ufm", "neo")
		d.products()
		d.lab("ufm", "neo")
		// Where Horizon and HAProxy have theirs.
		for _, port := range []string{"80", "443"} {
			d.exec("systemd-run", "--unit=horizon-"+port, "python3", "-m", "http.server", port)
		}
		timed(t, "deploy", func() { d.playbook("deploy") })
		// Whoever was there first has both ports, and the products have others.
		d.exec("systemctl", "is-active", "horizon-80", "horizon-443")
		for _, port := range []string{"7443", "3443"} {
			d.exec("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', "+port+"), 10)")
		}
		if n := changes(t, d.playbook("deploy"), "Deploy the fabric services"); n != 0 {
			t.Errorf("the second deployment has changed %d things", n)
		}
		// Kolla's prechecks are for a host on which they are not yet.
		d.exec("systemctl", "stop", "horizon-80", "horizon-443")
		prechecks := append(d.page("kayobe overcloud service prechecks"), r.tags("horizon,loadbalancer")...)
		timed(t, "prechecks", func() { d.kayobe(prechecks...) })

		// The same image where it wants to be.
		d.playbook("deploy", "-e", `{"ib_ufm_ports": {"http": 80, "https": 443}}`)
		timed(t, "prechecks that fail", func() {
			out, err := d.try(prechecks...)
			if err == nil || !strings.Contains(out, ":80 to stop") {
				t.Errorf("%v\n%s", err, lastLines(out, 60))
			}
		})
	})
}
