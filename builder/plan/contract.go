package plan

import (
	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/spec"
)

// runtimeContract says the runtime block once more in the contract's words.
func runtimeContract(img *spec.Image) contract.Contract {
	r := img.Runtime
	c := contract.Contract{
		Version:        contract.Version,
		Image:          img.Name,
		Init:           "systemd",
		Network:        r.Network,
		ReadOnly:       r.ReadOnly,
		CgroupVersions: append([]int{}, r.CgroupVersions...),
		Ports:          []contract.Port{},
		Volumes:        []contract.Volume{},
		Tmpfs:          []contract.Tmpfs{},
		Devices:        []contract.Device{},
		Capabilities:   []contract.Capability{},
		// Whoever reads the contract, not the description, wants the reason as well.
		NoNewPrivileges:     r.NewPrivileges == "",
		NewPrivilegesReason: r.NewPrivileges,
		Limits:              contract.Limits{MemoryBytes: r.Limits.Memory, Pids: r.Limits.Pids, Nofile: r.Limits.Nofile},
		Stop:                contract.Stop{Signal: r.Stop.Signal, TimeoutSeconds: r.Stop.TimeoutSeconds},
		Modules:             append([]string{}, r.Modules...),
		Excludes:            append([]string{}, r.Excludes...),
	}
	for _, p := range r.Ports {
		c.Ports = append(c.Ports, port(p))
	}
	for _, v := range r.Volumes {
		c.Volumes = append(c.Volumes, contract.Volume{Name: v.Name, Path: v.Path, Host: v.Host, ReadOnly: v.ReadOnly})
	}
	for _, t := range r.Tmpfs {
		c.Tmpfs = append(c.Tmpfs, contract.Tmpfs{Path: t.Path, Options: t.Options})
	}
	for _, d := range r.Devices {
		c.Devices = append(c.Devices, contract.Device{Path: d.Path, Permissions: d.Permissions})
	}
	for _, cap := range r.Capabilities {
		c.Capabilities = append(c.Capabilities, contract.Capability{Name: cap.Value, Reason: cap.Reason})
	}
	if h := r.Health; h != nil {
		c.Health = &contract.Health{
			Command: h.Command, IntervalSeconds: h.IntervalSeconds, TimeoutSeconds: h.TimeoutSeconds,
			StartPeriodSeconds: h.StartPeriodSeconds, Retries: h.Retries,
		}
	}
	c.Units = activeUnits(img)
	return c
}

func port(p spec.Port) contract.Port {
	out := contract.Port{
		Name: p.Name, Protocol: p.Protocol, Address: p.Address, Listens: p.Listens, Host: p.Host,
		Via: p.Via, Unit: p.Unit, Guarded: p.Guarded, Rewrites: []contract.Rewrite{},
	}
	for _, r := range p.Rewrites {
		out.Rewrites = append(out.Rewrites, contract.Rewrite{Path: r.Path, Match: r.Match, Count: r.Count})
	}
	return out
}

// activeUnits are the enabled units of the image and its ancestors, whose
// units a container of this image must show as well, the oldest first. What a
// descendant says of a unit goes before what an ancestor says.
func activeUnits(img *spec.Image) []string {
	units := []string{}
	decided := map[string]bool{}
	for i := img; i != nil; i = i.Parent {
		own := []string{}
		for _, u := range i.Units {
			if u.State == spec.UnitEnabled && !decided[u.Name] {
				own = append(own, u.Name)
			}
			decided[u.Name] = true
		}
		units = append(own, units...)
	}
	return units
}
