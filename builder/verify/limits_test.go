package verify

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/builder/contract"
)

func TestLimits(t *testing.T) {
	all := contract.Limits{MemoryBytes: 1 << 30, Pids: 512, Nofile: 4096}
	for _, tc := range []struct {
		name   string
		limits contract.Limits
		change func(*container.HostConfig)
		says   []string // none passes
	}{
		{"none", contract.Limits{}, func(*container.HostConfig) {}, nil},
		{"the engine's own", contract.Limits{}, func(h *container.HostConfig) { h.Memory = 1 << 20 }, nil},
		{"all", all, func(*container.HostConfig) {}, nil},
		{"dropped for want of controllers", all, func(h *container.HostConfig) { h.Memory, h.PidsLimit = 0, nil },
			[]string{`limit of memory: 0, the contract has 1073741824: the engine's host may lack the cgroup controller "memory"`, "limit of pids: 0, the contract has 512"}},
		{"a soft limit below", all, func(h *container.HostConfig) {
			h.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 1024, Hard: 4096}}
		},
			[]string{"limit of nofile: 1024, the contract has 4096"}},
		{"unlimited", all, func(h *container.HostConfig) { *h.PidsLimit = -1 }, []string{"limit of pids: -1, the contract has 512"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var h container.HostConfig
			limit(&h, tc.limits)
			tc.change(&h)
			got := limitFaults(&h, tc.limits)
			if len(got) != len(tc.says) {
				t.Fatalf("faults %q, want %d", got, len(tc.says))
			}
			for i, want := range tc.says {
				if !strings.Contains(got[i], want) {
					t.Errorf("fault %q, want %q", got[i], want)
				}
			}
			if r := compareSettings(&h, contract.Contract{Limits: tc.limits}); (r.status == Pass) != (len(tc.says) == 0) {
				t.Errorf("container.settings is %+v", r)
			}
		})
	}
}
