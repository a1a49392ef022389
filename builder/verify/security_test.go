package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

// TestDockerDefault holds the list of names against the mask that docker gives.
func TestDockerDefault(t *testing.T) {
	got, err := capabilitySet("00000000a80425fb")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(dockerDefault())), slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("a80425fb (-list +mask):\n%s", diff)
	}
}

func TestCompareBounding(t *testing.T) {
	lock := []contract.Capability{{Name: "IPC_LOCK"}}
	for _, tc := range []struct {
		name, mask string
		extra      []contract.Capability
		status     Status
		says       string
	}{
		{"default", "00000000a80425fb", nil, Pass, "14 capabilities"},
		{"fewer", "0000000000000000", nil, Pass, "0 capabilities"},
		{"the contract's", "00000000a80465fb", lock, Pass, "15 capabilities"},
		{"not the contract's", "00000000a80465fb", nil, Fail, "has more: IPC_LOCK"},
		{"all", "000001ffffffffff", lock, Fail, "DAC_READ_SEARCH, LINUX_IMMUTABLE"},
		{"unknown to us", "8000000000000000", nil, Fail, "capability 63"},
		{"no mask", "none", nil, Fail, `mask "none"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := compareBounding(tc.mask, tc.extra)
			if r.status != tc.status || !strings.Contains(r.detail, tc.says) {
				t.Errorf("got %+v, want %s with %q", r, tc.status, tc.says)
			}
		})
	}
}

func TestStatusFieldAndSeccomp(t *testing.T) {
	status := "Name:\tsystemd\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\nSeccomp_filters:\t1\n"
	mode, err := statusField(status, "Seccomp")
	if err != nil || mode != "2" {
		t.Errorf("Seccomp = %q, %v", mode, err)
	}
	if _, err := statusField(status, "CapAmb"); err == nil {
		t.Error("a missing field is no error")
	}
	if r := compareSeccomp("2"); r.status != Pass {
		t.Errorf("mode 2: %+v", r)
	}
	if r := compareSeccomp("0"); r.status != Fail {
		t.Errorf("mode 0: %+v", r)
	}
}

func TestCompareNewPrivileges(t *testing.T) {
	tight := contract.Contract{NoNewPrivileges: true}
	loose := contract.Contract{NewPrivilegesReason: "calls sudo"}
	for _, tc := range []struct {
		name, flag string
		contract   contract.Contract
		status     Status
		says       string
	}{
		{"forbidden", "1", tight, Pass, ""},
		{"the engine left it out", "0", tight, Fail, "NoNewPrivs is 0, not 1"},
		{"permitted", "0", loose, Pass, "they gain privileges: calls sudo"},
		{"the daemon sets it for all", "1", loose, Fail, "must gain privileges: calls sudo"},
		{"unreadable", "", tight, Fail, "not 1"},
		{"unreadable, permitted", "", loose, Fail, "not 0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := compareNewPrivileges(tc.flag, tc.contract)
			if r.status != tc.status || !strings.Contains(r.detail, tc.says) {
				t.Errorf("got %+v, want %s with %q", r, tc.status, tc.says)
			}
		})
	}
}

func TestCompareSettings(t *testing.T) {
	c := contract.Contract{ReadOnly: true, Capabilities: []contract.Capability{{Name: "IPC_LOCK"}, {Name: "NET_ADMIN"}}}
	good := container.HostConfig{ReadonlyRootfs: true, CapAdd: []string{"CAP_NET_ADMIN", "IPC_LOCK"}}
	for _, tc := range []struct {
		name   string
		change func(*container.HostConfig)
		says   string // "" passes
	}{
		{"as asked", func(*container.HostConfig) {}, ""},
		{"privileged", func(h *container.HostConfig) { h.Privileged = true }, "is privileged"},
		{"more", func(h *container.HostConfig) { h.CapAdd = append(slices.Clone(h.CapAdd), "CAP_SYS_ADMIN") }, "added: [IPC_LOCK NET_ADMIN SYS_ADMIN], the contract has [IPC_LOCK NET_ADMIN]"},
		{"fewer", func(h *container.HostConfig) { h.CapAdd = nil }, "added: [], the contract has"},
		{"unconfined", func(h *container.HostConfig) { h.SecurityOpt = []string{"seccomp=unconfined"} }, "security option seccomp=unconfined"},
		{"PID namespace", func(h *container.HostConfig) { h.PidMode = "host" }, "PID namespace"},
		{"writable", func(h *container.HostConfig) { h.ReadonlyRootfs = false }, "read-only root file system: false"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := good
			tc.change(&h)
			r := compareSettings(&h, c)
			if (r.status == Pass) != (tc.says == "") || !strings.Contains(r.detail, tc.says) {
				t.Errorf("got %+v, want %q", r, tc.says)
			}
		})
	}
}
