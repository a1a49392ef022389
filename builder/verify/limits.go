package verify

import (
	"fmt"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/builder/contract"
)

// limit asks the engine for the contract's limits; what the contract leaves out
// stays the engine's own.
func limit(h *container.HostConfig, l contract.Limits) {
	h.Memory = l.MemoryBytes
	if l.Pids > 0 {
		pids := int64(l.Pids)
		h.PidsLimit = &pids
	}
	if l.Nofile > 0 {
		files := int64(l.Nofile)
		h.Ulimits = append(h.Ulimits, &container.Ulimit{Name: "nofile", Soft: files, Hard: files})
	}
}

// limitFaults names the contract's limits that the engine did not record. An
// engine whose host lacks a cgroup controller drops the limit with a warning
// and makes the container (moby, verifyPlatformContainerResources).
func limitFaults(h *container.HostConfig, want contract.Limits) []string {
	have := contract.Limits{MemoryBytes: h.Memory}
	if h.PidsLimit != nil {
		have.Pids = int(*h.PidsLimit)
	}
	for _, u := range h.Ulimits {
		if u.Name == "nofile" {
			have.Nofile = int(min(u.Soft, u.Hard))
		}
	}
	var faults []string
	note := func(what, cure string, have, want int64) {
		if want != 0 && have != want {
			faults = append(faults, fmt.Sprintf("limit of %s: %d, the contract has %d: %s", what, have, want, cure))
		}
	}
	note("memory", "the engine's host may lack the cgroup controller \"memory\"", have.MemoryBytes, want.MemoryBytes)
	note("pids", "the engine's host may lack the cgroup controller \"pids\"", int64(have.Pids), int64(want.Pids))
	note("nofile", "something between here and the engine changed it", int64(have.Nofile), int64(want.Nofile))
	return faults
}
