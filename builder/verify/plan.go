package verify

import (
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// runLabel marks containers and volumes of a run; by it those of a run that was
// killed can be found, with docker ps -a --filter label=io.ibforge.verify.
const runLabel = "io.ibforge.verify"

// plan is the container that will be made, before anything is made.
type plan struct {
	name   string
	config container.Config
	host   container.HostConfig
	cgroup cgroupForm
	// volumes are the names of volumes that the container brings into being.
	volumes []string
	// writable are the mount points where writing is foreseen.
	writable []string
	// absent are devices of the contract that the host does not have.
	absent    []string
	additions []string
	// portMap is what the socket hooks are attached by.
	portMap contract.PortMap
}

// host is what the plan depends on beside the contract.
type host struct {
	engine  Engine
	present func(device string) bool
}

// draw plans a container from the contract and nothing else. What the host
// adds to it goes to additions.
func draw(img Image, overrides []VolumeOverride, h host, token string) (plan, error) {
	c := img.Contract
	cg, err := cgroupFor(h.engine, token, portmap.Hooked(c.Ports))
	if err != nil {
		return plan{}, err
	}
	timeout := c.Stop.TimeoutSeconds
	p := plan{
		name:   "ibforge-verify-" + img.Name + "-" + token,
		cgroup: cg,
		config: container.Config{
			Image: img.ID, Healthcheck: healthConfig(c.Health),
			StopSignal: c.Stop.Signal, StopTimeout: &timeout,
			Labels: map[string]string{runLabel: token},
		},
		host: container.HostConfig{
			NetworkMode: container.NetworkMode(c.Network), ReadonlyRootfs: c.ReadOnly,
			CgroupnsMode: container.CgroupnsModeHost, Binds: []string{cg.bind},
			Tmpfs: map[string]string{},
			// Said in either case: a daemon has a default of its own for it.
			SecurityOpt: []string{fmt.Sprintf("no-new-privileges=%t", c.NoNewPrivileges)},
		},
		additions: []string{cg.note},
	}
	p.host.CgroupParent = cg.parent
	p.portMap = contract.PortMap{Version: contract.PortMapVersion, Service: "verify_" + token, Cgroup: cg.made, Ports: c.Ports}
	for _, t := range c.Tmpfs {
		p.host.Tmpfs[t.Path] = t.Options
		p.writable = append(p.writable, t.Path)
	}
	for _, cap := range c.Capabilities {
		p.host.CapAdd = append(p.host.CapAdd, cap.Name)
	}
	limit(&p.host, c.Limits)
	p.devices(c.Devices, h.present)
	if err := p.mounts(c, overrides, token); err != nil {
		return plan{}, err
	}
	return p, nil
}

func (p *plan) devices(devices []contract.Device, present func(string) bool) {
	for _, d := range devices {
		if !present(d.Path) {
			p.absent = append(p.absent, d.Path)
			continue
		}
		p.host.Devices = append(p.host.Devices, container.DeviceMapping{
			PathOnHost: d.Path, PathInContainer: d.Path, CgroupPermissions: d.Permissions,
		})
	}
}

// mounts gives every volume of the contract a fresh volume of its own, into
// which the engine copies what the image has there. Host directories are not
// touched unless an override names them: they may belong to a live service.
func (p *plan) mounts(c contract.Contract, overrides []VolumeOverride, token string) error {
	replaced := map[string]VolumeOverride{}
	for _, o := range overrides {
		if err := o.validate(); err != nil {
			return err
		}
		if first, twice := replaced[o.Path]; twice {
			return fmt.Errorf("volumes %q and %q have the same path in the container: give one of them", first, o)
		}
		if _, tmpfs := p.host.Tmpfs[o.Path]; tmpfs {
			return fmt.Errorf("volume %q: the contract has a tmpfs at %s: choose another path", o, o.Path)
		}
		replaced[o.Path] = o
		what := "in addition"
		if i := slices.IndexFunc(c.Volumes, func(v contract.Volume) bool { return v.Path == o.Path }); i >= 0 {
			what = fmt.Sprintf("in place of volume %q", c.Volumes[i].Name)
		}
		p.additions = append(p.additions, fmt.Sprintf("volume %s, %s", o, what))
		p.mount(mount.Mount{Type: mount.TypeBind, Source: o.Host, Target: o.Path, ReadOnly: o.ReadOnly})
	}
	for _, v := range c.Volumes {
		if _, ok := replaced[v.Path]; ok {
			continue
		}
		name := "ibforge-verify-" + token + "-" + v.Name
		if v.Host != "" {
			p.additions = append(p.additions, fmt.Sprintf("volume %q has the image's own content, not %s of the host", v.Name, v.Host))
		}
		p.volumes = append(p.volumes, name)
		p.mount(mount.Mount{Type: mount.TypeVolume, Source: name, Target: v.Path, ReadOnly: v.ReadOnly,
			VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{runLabel: token}}})
	}
	return nil
}

func (p *plan) mount(m mount.Mount) {
	p.host.Mounts = append(p.host.Mounts, m)
	if !m.ReadOnly {
		p.writable = append(p.writable, m.Target)
	}
}

// healthConfig gives all fields: the engine fills missing ones from the image.
// NONE switches off a check that the image has and the contract does not.
func healthConfig(h *contract.Health) *container.HealthConfig {
	if h == nil {
		return &container.HealthConfig{Test: []string{"NONE"}}
	}
	return &container.HealthConfig{
		Test:        append([]string{"CMD"}, h.Command...),
		Interval:    time.Duration(h.IntervalSeconds) * time.Second,
		Timeout:     time.Duration(h.TimeoutSeconds) * time.Second,
		StartPeriod: time.Duration(h.StartPeriodSeconds) * time.Second,
		Retries:     h.Retries,
	}
}
