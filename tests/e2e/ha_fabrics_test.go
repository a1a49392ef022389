package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// One host serves two fabrics, each with files of its own; a change of one does
// not touch the other.
//
// The simulator shows a process one port, so that the second OpenSM is given
// another fabric by its unit, and the image's own health check, which looks for
// both ports in one place, is not waited for.
func TestTwoFabricsOfOneHost(t *testing.T) {
	t.Parallel()
	p := newHosts(t, "ctl1")
	red := labtest.Fabric(t, lab.FabricOptions{})
	redPort, err := red.Host(t.Context(), "Hca2")
	if err != nil {
		t.Fatal(err)
	}
	bluePort, redGUID := fmt.Sprintf("0x%016x", p.guid("ctl1")), fmt.Sprintf("0x%016x", redPort.GUID)
	environment, drop := filepath.Join(p.dir, "red.env"), filepath.Join(p.dir, "red.conf")
	for file, text := range map[string]string{environment: strings.Join(red.Environ("Hca2"), "\n") + "\n", drop: "[Service]\nEnvironmentFile=/red.env\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host := p.hosts["ctl1"]
	volumes, _ := host["ib_opensm_extra_volumes"].([]string)
	host["ib_opensm_extra_volumes"] = append(volumes, environment+":/red.env:ro", drop+":/etc/systemd/system/opensm@"+redGUID+".service.d/red.conf:ro")
	partitions := func(pkey int) map[string]any {
		return map[string]any{"ib_opensm_wait": false, "ib_opensm_fabrics": map[string]any{
			"blue": map[string]any{"port_guids": []string{bluePort}},
			"red": map[string]any{"port_guids": []string{redGUID}, "subnet_prefix": "0xfe80000000000001", "partitions": []any{
				site.Partition("Default", 0x7fff, site.Everyone("full")), site.Partition("tenant", pkey, site.Everyone("full"))}},
		}}
	}
	await := func(fabric *lab.Fabric, want ...uint16) {
		t.Helper()
		var got []uint16
		waitFor(t, fmt.Sprintf("the PKeys %#04x of Hca3", want), func() bool {
			keys, err := fabric.PKeys(t.Context(), "Hca3", 0)
			got = slices.DeleteFunc(keys, func(k uint16) bool { return k == 0 })
			slices.Sort(got)
			return err == nil && slices.Equal(got, want)
		})
	}

	p.must("deploy", partitions(0x10))
	await(p.fabric, 0xffff)
	await(red, 0x8010, 0xffff)
	if sm, err := red.WaitMaster(t.Context()); err != nil || sm.GUID != redPort.GUID {
		t.Errorf("the master of red is %+v, %v", sm, err)
	}
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Error(err)
	}
	_, _, pid := p.state(t, "ib_opensm")
	p.must("reconfigure", partitions(0x20))
	await(red, 0x8020, 0xffff)
	await(p.fabric, 0xffff)
	if _, _, now := p.state(t, "ib_opensm"); now != pid {
		t.Errorf("another partition made the container anew: PID %d was %d", now, pid)
	}
}
