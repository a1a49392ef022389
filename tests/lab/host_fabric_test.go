package lab_test

import (
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// A fabric in a host's network is seen from the host, before and after it
// reboots, and from a host beside it.
func TestHostFabric(t *testing.T) {
	a := labtest.Host(t, lab.HostOptions{})
	b := labtest.Host(t, lab.HostOptions{Network: a.Network()})
	f := labtest.Fabric(t, lab.FabricOptions{Network: a.Network()})
	labtest.OpenSM(t, f, "Hca1")
	if _, err := f.WaitMaster(limited(t)); err != nil {
		t.Fatal(err)
	}
	if err := a.Reboot(limited(t)); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*lab.Host{a, b} {
		out := in(t, h, "env "+strings.Join(f.Environ("Hca3"), " ")+" sminfo")
		if !strings.Contains(out, "SMINFO_MASTER") {
			t.Errorf("host %s sees %q", h.Name(), out)
		}
	}
}
