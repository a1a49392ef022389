package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// session is one run against one engine.
type session struct {
	eng    *engine
	img    Image
	src    Source
	opts   Options
	plan   plan
	report *Report
	// usable is the image to make the container from, set once it is known.
	usable string
	// made tells that the engine was asked for the container, whatever it answered.
	made bool
	// hooked tells that socket hooks were attached.
	hooked bool
}

// result is a check's outcome without its name.
type result struct {
	status Status
	detail string
}

func pass(format string, args ...any) result { return result{Pass, fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) result { return result{Fail, fmt.Sprintf(format, args...)} }
func skip(format string, args ...any) result { return result{Skip, fmt.Sprintf(format, args...)} }

// step is one check. It is skipped when needs names an earlier step that did
// not hold, with that step's excuse as the reason.
type step struct {
	id, title, needs string
	run              func(context.Context) result
}

const (
	stepImage  = "image.id"
	stepCgroup = "host.cgroup"
	stepHooks  = "ports.hooked"
	stepMade   = "container.made"
	stepBoot   = "systemd.running"
)

// steps are in the order of doing: what disturbs the container comes late.
func (s *session) steps() []step {
	return []step{
		{stepImage, "the engine holds the image under its ID", "", s.imageID},
		{"image.contract", "the image's label holds this contract", stepImage, s.imageContract},
		{stepCgroup, "the engine has a cgroup version that the image boots on", stepImage, s.hostCgroup},
		{"host.devices", "the host has the contract's devices", "", s.hostDevices},
		{stepHooks, "ports that move below the service are hooked before it starts", stepCgroup, s.portsHooked},
		{stepMade, "a container is made from the contract alone", stepHooks, s.containerMade},
		{"image.leftovers", "the image holds nothing of its build", stepMade, s.imageLeftovers},
		{"container.settings", "not privileged, the contract's capabilities and limits", stepMade, s.containerSettings},
		{stepBoot, "systemd reaches \"running\", no unit failed", stepMade, s.systemdRunning},
		{"pid1.capabilities", "PID 1 is bounded to the default set and the contract's", stepBoot, s.pid1Capabilities},
		{"pid1.privileges", "programs gain privileges only where the contract says why", stepBoot, s.pid1NewPrivileges},
		{"pid1.seccomp", "PID 1 is under a seccomp filter", stepBoot, s.pid1Seccomp},
		{"health", "the health command succeeds in its time", stepBoot, s.health},
		{"units.active", "the contract's units are active, none failed since", stepBoot, s.unitsActive},
		{"ports.listening", "the contract's ports and no others are open on the host", stepBoot, s.portsListening},
		{"files.mounts", "only volumes and tmpfs are writable mounts", stepBoot, s.filesMounts},
		{"files.changed", "nothing is written outside volumes and tmpfs", stepBoot, s.filesChanged},
		{"stop", "the stop signal leads to exit 0 in the contract's time", stepBoot, s.stop},
	}
}

// excuseOf is why what needs a failed step is skipped.
func excuseOf(id string) string {
	switch id {
	case stepImage:
		return "the engine does not have the image"
	case stepCgroup:
		return "the engine has another cgroup version"
	case stepHooks:
		return "the ports would not be where they belong"
	case stepMade:
		return "there is no container"
	case stepBoot:
		return "did not boot"
	}
	return "" // nothing needs it
}

// prove carries out the steps. Its error is ctx's.
func (s *session) prove(ctx context.Context) error {
	excuse := map[string]string{}
	for _, st := range s.steps() {
		var r result
		if why, unmet := excuse[st.needs]; unmet {
			r = skip("%s", why)
			excuse[st.id] = why
		} else {
			r = st.run(ctx)
		}
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("during the check %s: %w", st.id, err)
		}
		if r.status == Fail {
			excuse[st.id] = excuseOf(st.id)
		}
		s.report.Checks = append(s.report.Checks, Check{ID: st.id, Title: st.title, Status: r.status, Detail: legible(r.detail)})
	}
	return nil
}

func (s *session) hostDevices(context.Context) result {
	switch absent := s.plan.absent; {
	case len(s.img.Contract.Devices) == 0:
		return pass("the contract has none")
	case len(absent) > 0:
		return skip("not on this host, left out of the container: %v", absent)
	case !s.eng.local():
		return skip("the engine is on another host, whose devices cannot be listed; the start fails if one is missing")
	}
	return pass("")
}

func (s *session) containerMade(ctx context.Context) result {
	config := s.plan.config
	config.Image = s.usable
	s.made = true
	created, err := s.eng.api.ContainerCreate(ctx, &config, &s.plan.host, nil, nil, s.plan.name)
	if err != nil {
		return fail("the engine refuses: %v", err)
	}
	if len(created.Warnings) > 0 {
		return pass("the engine warns: %s", strings.Join(created.Warnings, "; "))
	}
	return pass("")
}

// remove removes all that the run made, or with Keep says how to. One failure
// does not stop the rest.
func (s *session) remove(ctx context.Context) error {
	if !s.made {
		return s.unhook()
	}
	if s.opts.Keep {
		s.keep()
		return nil
	}
	var faults []error
	note := func(what string, err error) {
		if err != nil && !cerrdefs.IsNotFound(err) {
			faults = append(faults, fmt.Errorf("removing %s: %w", what, err))
		}
	}
	note("container "+s.plan.name, s.eng.api.ContainerRemove(ctx, s.plan.name, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	for _, v := range s.plan.volumes {
		note("volume "+v, s.eng.api.VolumeRemove(ctx, v, true))
	}
	note("the socket hooks", s.unhook())
	if s.plan.cgroup.made != "" && s.eng.local() {
		note("cgroup "+s.plan.cgroup.made, removeCgroup(ctx, s.opts.Clock, s.plan.cgroup.made))
	}
	return errors.Join(faults...)
}

func (s *session) keep() {
	docker := "docker -H " + s.eng.Endpoint
	s.report.Kept = append(s.report.Kept, docker+" rm --force --volumes "+s.plan.name)
	for _, v := range s.plan.volumes {
		s.report.Kept = append(s.report.Kept, docker+" volume rm "+v)
	}
	if s.hooked {
		s.report.Kept = append(s.report.Kept, "ibforge-portmap detach "+s.plan.portMap.Service)
	}
	if made := s.plan.cgroup.made; made != "" {
		s.report.Kept = append(s.report.Kept, "find /sys/fs/cgroup"+made+" -depth -type d -exec rmdir {} +")
	}
}
