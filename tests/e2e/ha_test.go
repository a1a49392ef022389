package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibforge/ibforge/tests/lab/site"
)

// failoverLimit is how long the fabric may be without a master after the
// container of the master was killed, on a machine that does nothing else.
const failoverLimit = 2500 * time.Millisecond

// The standby takes over in time, every time, and no port loses a partition.
func TestFailover(t *testing.T) {
	timed := os.Getenv(matrixEnv) != ""
	if !timed {
		t.Parallel()
	}
	p := newPair(t)
	tenants, err := site.Site{Fabric: p.fabric}.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{"ib_opensm_partitions": tenants}
	p.must("deploy", vars)
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Fatal(err)
	}
	want := map[string][]uint16{"Hca3": p.pkeys("Hca3"), "Hca4": p.pkeys("Hca4")}
	if !slices.Equal(want["Hca3"], []uint16{0x7fff, 0x8020}) {
		t.Fatalf("%#04x", want)
	}
	for i := range 3 {
		killed := p.kill("ctl1")
		waitFor(t, "the standby to become master", func() bool { return p.becameMaster("ctl2").After(killed) })
		took := p.becameMaster("ctl2").Sub(killed)
		t.Logf("failover %d: %s", i+1, took.Round(time.Millisecond))
		// Beside other tests a clock proves nothing; make test-matrix has it run alone.
		if timed && took > failoverLimit {
			t.Errorf("the standby was master %s after the master was killed, and may take %s", took, failoverLimit)
		}
		if err := p.awaitMaster("ctl2"); err != nil {
			t.Fatal(err)
		}
		for hca, keys := range want {
			if got := p.pkeys(hca); !slices.Equal(got, keys) {
				t.Errorf("%s has the PKeys %#04x, before %#04x", hca, got, keys)
			}
		}
		p.handBack(t)
	}
	if n := p.must("deploy", vars).Hosts["ctl1"].Changed; n != 0 {
		t.Errorf("the next deployment has changed %d things on ctl1", n)
	}
}

// A host that was away while the partitions were changed stays out: beside the
// new master, and after that one's death too. The next change takes it back.
func TestStaleHostDoesNotBecomeMaster(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.must("deploy", nil)
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Fatal(err)
	}
	p.kill("ctl1")
	if err := p.awaitMaster("ctl2"); err != nil {
		t.Fatal(err)
	}
	tenants, err := site.Site{Fabric: p.fabric}.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := map[string]any{"ib_opensm_partitions": tenants}
	p.must("reconfigure", changed, "ctl2")
	waitFor(t, "the new partitions", func() bool { return slices.Equal(p.pkeys("Hca3"), []uint16{0x7fff, 0x8020}) })

	p.start("ctl1")
	waitFor(t, "ctl1 to say why it stays out", func() bool { return strings.Contains(p.health("ctl1"), "works with another configuration") })
	if sm, err := p.fabric.SM(t.Context()); err != nil || sm.GUID != p.guid("ctl2") {
		t.Errorf("the master is %+v, %v", sm, err)
	}
	killed := p.kill("ctl2")
	// As long as the gate looks for a master, and two looks of the watch.
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		if at := p.becameMaster("ctl1"); at.After(killed) {
			t.Fatalf("the host with the old partitions became master at %s", at)
		}
	}
	if got := p.pkeys("Hca3"); !slices.Equal(got, []uint16{0x7fff, 0x8020}) {
		t.Errorf("Hca3 has the PKeys %#04x", got)
	}
	p.must("reconfigure", changed, "ctl1")
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Error(err)
	}
}

// A standby that finds the master on another configuration is not healthy, and
// is stopped; a change by the playbook leaves no such moment behind.
func TestDisagreementIsUnhealthy(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.must("deploy", nil)
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Fatal(err)
	}
	file := p.conf("ctl2") + "/partitions.conf"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := regexp.MustCompile(`ibforge-config=0x\w+`).ReplaceAll(text, []byte("ibforge-config=0x7001"))
	if err := os.WriteFile(file, other, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := p.health("ctl2"); !strings.Contains(got, "another configuration") || !strings.Contains(got, fmt.Sprintf("0x%x", p.guid("ctl1"))) {
		t.Errorf("the standby's health: %s", got)
	}
	if got := p.health("ctl1"); !strings.Contains(got, "master") {
		t.Errorf("the master's health: %s", got)
	}
	if r, _ := p.act("check", nil); r.code == 0 || !strings.Contains(r.stdout, "partitions.conf is not what the variables say") {
		t.Error(r)
	}
	waitFor(t, "the standby to be stopped", func() bool { return strings.Contains(p.health("ctl2"), "OpenSM does not run") })
	p.must("reconfigure", nil)
	waitFor(t, "the standby to be back", func() bool { return strings.Contains(p.health("ctl2"), "standby") })
}

// What the hosts' variables say of one another is refused before a file is
// written.
func TestHostsThatDoNotAgree(t *testing.T) { //nolint:tparallel // the cases are of one pair of hosts
	t.Parallel()
	p := newPair(t)
	for _, c := range []struct {
		name string
		ctl2 map[string]any
		vars map[string]any
		want []string
	}{
		{"priority used twice", map[string]any{"ib_opensm_sm_priority": 9}, map[string]any{"ib_opensm_sm_priority": 9}, []string{"sm_priority 9", "ctl1", "ctl2"}},
		{"another partition", map[string]any{"ib_opensm_partitions": []any{site.Partition("Default", 0x7fff, site.Everyone("limited"), site.Member{"port": "SELF", "membership": "full"})}}, nil, []string{"ctl1", "ctl2", "do not agree on partitions"}},
		{"tenant on the mark", nil, map[string]any{"ib_opensm_partitions": []any{site.Partition("Default", 0x7fff, site.Everyone("full")), site.Partition("t", 0x7abc, site.Everyone("full"))}}, []string{"0x7abc", "marks the configuration"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := p.hosts["ctl2"]
			defer func() { p.hosts["ctl2"] = own }()
			p.hosts["ctl2"] = maps.Clone(own)
			maps.Copy(p.hosts["ctl2"], c.ctl2)
			r, recap := p.act("precheck", c.vars)
			if r.code == 0 || len(recap.Failures) == 0 {
				t.Fatal(r)
			}
			for _, part := range c.want {
				if !strings.Contains(recap.Failures[len(recap.Failures)-1].Message, part) {
					t.Errorf("the message does not name %s: %+v", part, recap.Failures)
				}
			}
			if _, err := os.Stat(p.conf("ctl1")); !os.IsNotExist(err) {
				t.Errorf("%s was made: %v", p.conf("ctl1"), err)
			}
		})
	}
}
