package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded returns what a program really wrote on the fabric of
// two-switches.net, with infiniband-diags 44.0 and ibsim 0.10.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseHosts(t *testing.T) {
	for _, tc := range []struct {
		name, netlist string
		want          []string
	}{
		{"default", string(twoSwitches), []string{"Hca1", "Hca2", "Hca3", "Hca4"}},
		{"ibsim's old keyword", "Switch\t8 \"S1\"\n[1]\t\"H 1\"\n\nHca\t2 \"H 1\"\n[1] \"S1\"[1]\n", []string{"H 1"}},
		{"comment", "# Ca 2 \"no\"\n", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parseHosts([]byte(tc.netlist))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParsePorts(t *testing.T) {
	for _, tc := range []struct {
		file  string
		count int
		hca1  Port
		sw1p3 Port
		sw1p8 Port
	}{
		{
			"valid-ports-before-sm.txt", 20,
			Port{Type: TypeCA, Node: "Hca1", GUID: 0x2c90300a00001, Number: 1, Peer: "Switch1", PeerNumber: 1},
			Port{Type: TypeSwitch, Node: "Switch1", GUID: 0x2c90300a00100, Number: 3, Peer: "Switch2", PeerNumber: 3},
			Port{Type: TypeSwitch, Node: "Switch1", GUID: 0x2c90300a00100, Number: 8},
		},
		{
			"valid-ports.txt", 20,
			Port{Type: TypeCA, Node: "Hca1", GUID: 0x2c90300a00001, LID: 1, Number: 1, Peer: "Switch1", PeerNumber: 1},
			Port{Type: TypeSwitch, Node: "Switch1", GUID: 0x2c90300a00100, LID: 2, Number: 3, Peer: "Switch2", PeerNumber: 3},
			Port{Type: TypeSwitch, Node: "Switch1", GUID: 0x2c90300a00100, LID: 2, Number: 8},
		},
	} {
		t.Run(tc.file, func(t *testing.T) {
			ports, err := parsePorts(recorded(t, tc.file))
			if err != nil {
				t.Fatal(err)
			}
			if len(ports) != tc.count {
				t.Errorf("%d ports, want %d", len(ports), tc.count)
			}
			for _, want := range []Port{tc.hca1, tc.sw1p3, tc.sw1p8} {
				if diff := cmp.Diff(want, findPort(ports, want.Node, want.Number)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func findPort(ports []Port, node string, number int) Port {
	for _, p := range ports {
		if p.Node == node && p.Number == number {
			return p
		}
	}
	return Port{}
}

func TestParseSMInfo(t *testing.T) {
	for file, want := range map[string]SMInfo{
		"valid-sminfo-master.txt":  {State: SMMaster, Priority: 7, GUID: 0x2c90300a00001, LID: 1},
		"valid-sminfo-standby.txt": {State: SMStandby, Priority: 0, GUID: 0x2c90300a00011, LID: 4},
	} {
		t.Run(file, func(t *testing.T) {
			got, err := parseSMInfo(recorded(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInactiveLink(t *testing.T) {
	if got := inactiveLink(recorded(t, "valid-links.txt")); got != "" {
		t.Errorf("a link of a managed fabric counts as inactive: %s", got)
	}
	got := inactiveLink(recorded(t, "valid-links-before-sm.txt"))
	if !strings.Contains(got, "Hca3") || !strings.Contains(got, "Initialize/") {
		t.Errorf("the first inactive link is %q", got)
	}
}

func TestParsePKeys(t *testing.T) {
	for file, want := range map[string][]uint16{
		"valid-pkeys.txt":             {0xffff, 0x8011, 0x8012},
		"valid-pkeys-hole.txt":        {0xffff, 0, 0x8012},
		"valid-pkeys-switch-port.txt": {0x7fff, 0x0011},
	} {
		t.Run(file, func(t *testing.T) {
			got, err := parsePKeys(recorded(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Output that is not understood is an error that quotes it: a parser that
// returns nothing would let a test pass on an empty fabric.
func TestParseRefuses(t *testing.T) {
	ports := func(b []byte) error { _, err := parsePorts(b); return err }
	sminfo := func(b []byte) error { _, err := parseSMInfo(b); return err }
	pkeys := func(b []byte) error { _, err := parsePKeys(b); return err }
	for _, tc := range []struct {
		name  string
		parse func([]byte) error
		text  string
		want  string
	}{
		{"port line", ports, "CA 1 1 0x1 4x SDR\n", `line 1 is not a port: "CA 1 1`},
		{"lid too large", ports, "SW 70000 8 0x0002c90300a00200 4x SDR 'Switch2'\n", "value out of range"},
		{"sminfo nothing", sminfo, "", `cannot be read: ""`},
		{"sminfo lid", sminfo, "sminfo: sm lid 99999 sm guid 0x1, activity count 1 priority 0 state 3 SMINFO_MASTER", "out of range"},
		{"pkeys cut off", pkeys, "   0: 0xffff 0x0000\n", "ends after 2 entries"},
		{"pkeys out of order", pkeys, "   0: 0xffff\n   8: 0x0000\n", `after 1 entries comes "   8`},
		{"pkeys nothing", pkeys, "", "ends after 0 entries"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.parse([]byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestParseMountinfo(t *testing.T) {
	for _, tc := range []struct {
		name, line, point, kind string
		ok                      bool
	}{
		{"v1", "34 29 0:29 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory", "/sys/fs/cgroup/memory", "cgroup", true},
		{"v2", "42 29 0:39 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw", "/sys/fs/cgroup", "cgroup2", true},
		{"no separator", "42 29 0:39 / /sys/fs/cgroup rw", "", "", false},
		{"too short", "42 29 - cgroup2", "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			point, kind, ok := parseMountinfo(tc.line)
			if point != tc.point || kind != tc.kind || ok != tc.ok {
				t.Errorf("got %q %q %v", point, kind, ok)
			}
		})
	}
}
