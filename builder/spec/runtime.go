package spec

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/suggest"
)

// systemTmpfs is what systemd as PID 1 of a container needs to be tmpfs, in
// the order of mounting. Without them it exits with 255
// (https://systemd.io/CONTAINER_INTERFACE).
func systemTmpfs() []string { return []string{"/run", "/run/lock", "/tmp"} }

// runtime decodes the runtime block.
func (d *imageDecoder) runtime(b *runtimeBody) *Runtime {
	mounts := uniqueNames{decoder: &d.decoder, kind: "mount point"}
	r := &Runtime{
		Network:        d.oneOf(d.text(b.Network, "host"), "network", []string{"host", "none"}),
		ReadOnly:       d.boolean(b.ReadOnly),
		CgroupVersions: d.cgroupVersions(b.Cgroups),
		Tmpfs:          d.tmpfs(b.Tmpfs, &mounts),
		Volumes:        d.volumes(b.Volumes, &mounts),
		Ports:          d.ports(b.Ports),
		Devices:        d.devices(b.Devices),
		Capabilities:   d.capabilities(b.Capabilities),
		Limits:         d.limits(b.Limits),
		Stop:           d.stop(b.Stop),
		Modules:        d.names(b.Modules, moduleName, "kernel module", `It is what modprobe(8) takes, such as "ib_umad".`),
		Excludes:       d.names(b.Excludes, imageName, "exclusive role", `It is lower case letters, digits and "-", such as "subnet-manager".`),
		DefRange:       b.DefRange,
	}
	if p := b.NewPrivileges; p != nil {
		r.NewPrivileges = d.required(p.Reason, "reason", p.DefRange, "Say which programs must gain privileges that their caller does not have, and what for.").value
	}
	if b.Health != nil {
		r.Health = d.health(b.Health)
	}
	return r
}

// cgroupVersions gives a set of 1 and 2; absent it is both.
func (d *imageDecoder) cgroupVersions(attr *hcl.Attribute) []int {
	list, ok := d.texts(attr)
	if !ok {
		return []int{1, 2}
	}
	var out []int
	for _, t := range list {
		version := map[string]int{"1": 1, "2": 2}[t.value]
		switch {
		case version == 0:
			d.errorAt(&t.rng, "Unknown cgroup version", "%q is no version of cgroups(7). It must be one of 1, 2.", t.value)
		case slices.Contains(out, version):
			d.errorAt(&t.rng, "Duplicate cgroup version", "%d stands in the list twice. Remove one.", version)
		default:
			out = append(out, version)
		}
	}
	if len(list) == 0 {
		rng := attr.Expr.Range()
		d.errorAt(&rng, "No cgroup version", "The list is empty, so the image would boot nowhere. Leave it out for [1, 2].")
	}
	slices.Sort(out)
	return out
}

// names gives a list of names that follow a grammar.
func (d *imageDecoder) names(attr *hcl.Attribute, grammar interface{ MatchString(string) bool }, kind, cure string) []string {
	list, _ := d.texts(attr)
	var out []string
	for _, t := range list {
		switch {
		case !grammar.MatchString(t.value):
			d.errorAt(&t.rng, "Invalid "+kind, "%q is not a valid %s. %s", t.value, kind, cure)
		case slices.Contains(out, t.value):
			d.errorAt(&t.rng, "Duplicate "+kind, "%q stands in the list twice. Remove one.", t.value)
		default:
			out = append(out, t.value)
		}
	}
	return out
}

// mountPath judges a path that a container engine mounts something on or from.
func (d *imageDecoder) mountPath(t text, what string) bool {
	if !t.ok {
		return false
	}
	if !cleanAbsolute(t.value) {
		d.errorAt(&t.rng, "Invalid "+what, "%q must be an absolute path in its shortest form, below \"/\", without \"..\" and without \"/\" at the end.", t.value)
		return false
	}
	if !mountable.MatchString(t.value) {
		d.errorAt(&t.rng, "Invalid "+what, "%q holds \":\", \",\" or white space, which container engines take for the end of the path.", t.value)
		return false
	}
	return true
}

// tmpfs gives those of the system first, because /run would hide what is
// mounted below it before, then the others in order.
func (d *imageDecoder) tmpfs(bodies []tmpfsBody, mounts *uniqueNames) []Tmpfs {
	var out []Tmpfs
	for _, p := range systemTmpfs() {
		out = append(out, Tmpfs{Path: p})
	}
	for i := range bodies {
		b := &bodies[i]
		if d.mountPath(text{value: b.Path, rng: b.LabelRange, ok: true}, "tmpfs path") {
			mounts.add(b.Path, b.LabelRange)
		}
		options := d.text(b.Options, "")
		if options.ok && (options.value == "" || strings.ContainsFunc(options.value, func(r rune) bool { return r <= ' ' || r == ':' })) {
			d.errorAt(&options.rng, "Invalid tmpfs options", "%q are no options in the form of mount(8), such as \"size=64m,mode=0755\". Leave it out for the engine's own.", options.value)
		}
		entry := Tmpfs{Path: b.Path, Options: options.value, DefRange: b.DefRange}
		if k := slices.Index(systemTmpfs(), b.Path); k >= 0 {
			out[k] = entry
		} else {
			out = append(out, entry)
		}
	}
	return out
}

func (d *imageDecoder) volumes(bodies []volumeBody, mounts *uniqueNames) []Volume {
	var out []Volume
	names := uniqueNames{decoder: &d.decoder, kind: "volume"}
	for i := range bodies {
		b := &bodies[i]
		if !volumeName.MatchString(b.Name) {
			d.errorAt(&b.LabelRange, "Invalid volume name", "%q is no name of a volume: letters, digits, \"_\", \".\" and \"-\", a letter or digit first.", b.Name)
		}
		names.add(b.Name, b.LabelRange)
		where := d.required(b.Path, "path", b.DefRange, "It is the mount point in the container.")
		if d.mountPath(where, "volume path") {
			if slices.Contains(systemTmpfs(), where.value) {
				d.errorAt(&where.rng, "Volume over a tmpfs", "systemd needs %q to be a tmpfs that is empty at every start. Mount the volume below it or elsewhere.", where.value)
			} else {
				mounts.add(where.value, where.rng)
			}
		}
		host := d.text(b.Host, "")
		d.mountPath(host, "host path")
		out = append(out, Volume{Name: b.Name, Path: where.value, Host: host.value, ReadOnly: d.boolean(b.ReadOnly), DefRange: b.DefRange})
	}
	return out
}

func (d *imageDecoder) devices(bodies []deviceBody) []Device {
	var out []Device
	paths := uniqueNames{decoder: &d.decoder, kind: "device"}
	for i := range bodies {
		b := &bodies[i]
		if d.mountPath(text{value: b.Path, rng: b.LabelRange, ok: true}, "device path") && !strings.HasPrefix(b.Path, "/dev/") {
			d.errorAt(&b.LabelRange, "Invalid device path", "%q is not below /dev. A file or directory of the host is a volume with \"host\".", b.Path)
		}
		paths.add(b.Path, b.LabelRange)
		permissions := d.text(b.Permissions, "rw")
		if permissions.value == "" || !devicePerm.MatchString(permissions.value) {
			d.errorAt(&permissions.rng, "Invalid device permissions", "%q must be one or more of \"r\" (read), \"w\" (write) and \"m\" (mknod), in this order.", permissions.value)
		}
		out = append(out, Device{Path: b.Path, Permissions: permissions.value, DefRange: b.DefRange})
	}
	return out
}

func (d *imageDecoder) capabilities(bodies []capabilityBody) []Reasoned {
	var out []Reasoned
	names := uniqueNames{decoder: &d.decoder, kind: "capability"}
	for i := range bodies {
		b := &bodies[i]
		if !slices.Contains(capabilities(), b.Name) {
			hint := suggest.DidYouMean(strings.TrimPrefix(strings.ToUpper(b.Name), "CAP_"), capabilities())
			d.errorAt(&b.LabelRange, "Unknown capability", "%q is none of capabilities(7), written without \"CAP_\" and in capitals.%s", b.Name, hint)
		}
		names.add(b.Name, b.LabelRange)
		reason := d.required(b.Reason, "reason", b.DefRange, "Say what the service cannot do without the capability.")
		out = append(out, Reasoned{b.Name, reason.value})
	}
	return out
}

// limits decodes the limits block. What is absent stays with the engine: what a
// service takes depends on the size of the fabric, and a guess kills it.
func (d *imageDecoder) limits(b *limitsBody) Limits {
	if b == nil {
		return Limits{}
	}
	// The least that docker takes (linuxMinMemory in moby's daemon/daemon_unix.go).
	const leastMemory = 6 << 20
	l := Limits{Memory: d.size(b.Memory, 0)}
	if l.Memory != 0 && l.Memory < leastMemory {
		rng := b.Memory.Expr.Range()
		d.errorAt(&rng, "Memory limit too small", "%d bytes are less than 6MiB, the least that container engines take. Write a number and its unit, as in \"4GiB\".", l.Memory)
	}
	// What the kernel can number (PID_MAX_LIMIT, proc_sys_kernel(5)), and what a
	// process can have open unless the host raises fs.nr_open.
	const mostPids, mostFiles = 1 << 22, 1 << 20
	l.Pids, _ = d.whole(b.Pids, 0, mostPids)
	l.Nofile, _ = d.whole(b.Nofile, 0, mostFiles)
	return l
}

// stop decodes the stop block. The default signal makes systemd halt in an
// orderly way (systemd(1), SIGNALS).
func (d *imageDecoder) stop(b *stopBody) Stop {
	if b == nil {
		b = &stopBody{}
	}
	signal := d.text(b.Signal, "SIGRTMIN+3")
	if signal.ok && !slices.Contains(signals(), signal.value) && !realtime.MatchString(signal.value) {
		hint := suggest.DidYouMean(signal.value, signals())
		switch signal.value {
		case "SIGKILL", "SIGSTOP":
			hint = "" // SIGILL and SIGTSTP are near, and worse
		default:
			if hint == "" {
				hint = suggest.DidYouMean("SIG"+signal.value, signals())
			}
		}
		d.errorAt(&signal.rng, "Unknown signal", "%q is no signal of signal(7) that can be caught, written as \"SIGTERM\" or \"SIGRTMIN+3\".%s", signal.value, hint)
	}
	return Stop{Signal: signal.value, TimeoutSeconds: d.duration(b.Timeout, 30, 1)}
}

func (d *imageDecoder) health(b *healthBody) *Health {
	const many = 1000
	retries, _ := d.whole(b.Retries, 3, many)
	return &Health{
		Command:            d.command(b.Command, b.DefRange),
		IntervalSeconds:    d.duration(b.Interval, 30, 1),
		TimeoutSeconds:     d.duration(b.Timeout, 10, 1),
		StartPeriodSeconds: d.duration(b.StartPeriod, 20, 0),
		Retries:            retries,
		DefRange:           b.DefRange,
	}
}
