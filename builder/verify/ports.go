package verify

import (
	"context"
	"slices"

	"github.com/ibforge/ibforge/builder/portmap"
	"github.com/ibforge/ibforge/builder/portmap/socket"
)

func (s *session) hostCgroup(context.Context) result {
	version, known := s.eng.CgroupVersion, s.img.Contract.CgroupVersions
	if slices.Contains(known, map[string]int{"1": 1, "2": 2}[version]) {
		return pass("version %s", version)
	}
	return fail("the engine has cgroup version %s, the image's systemd boots on %v: systemd before 226 does not know version 2. Use a host that boots with systemd.unified_cgroup_hierarchy=0, or a newer base", version, known)
}

// portsHooked attaches the socket hooks to the container's parent cgroup.
func (s *session) portsHooked(context.Context) result {
	ports := s.img.Contract.Ports
	switch {
	case !portmap.Hooked(ports):
		return pass("no port is moved below the service, none is guarded")
	case !s.eng.local():
		return fail("the engine is on another host, whose cgroups cannot be reached from here: run verify there")
	}
	if _, err := socket.Attach(s.plan.portMap, socket.Options{}); err != nil {
		return fail("%v", err)
	}
	s.hooked = true
	return pass("cgroup %s", s.plan.portMap.Cgroup)
}

func (s *session) unhook() error {
	if !s.hooked {
		return nil
	}
	return socket.Detach(s.plan.portMap.Service, socket.Options{})
}
