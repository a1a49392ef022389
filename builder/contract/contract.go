// Package contract holds the Runtime contract: what a fabric service's image
// needs from the host that runs it, said once and read by everybody.
//
// The description's runtime block becomes a Contract in builder/plan; the
// engine writes it into the image as the OCI label [Label]; builder/verify and
// the Ansible role ib_service make containers from it and from nothing else.
// The package imports nothing of ibforge, and everything may import it.
package contract

// Version is the version of the contract's shape. A reader refuses a contract
// whose version it does not know instead of guessing at its meaning.
//
// A new field does not raise it as long as a reader that ignores the field
// gives a service no more than it gave before. The other way round a contract
// without the field is refused where its absence would loosen something: see
// [Parse].
const Version = 1

// Label is the OCI image label that holds the contract as compact JSON.
const Label = "io.ibforge.runtime"

// Contract is what one image needs at run time. All lists are sorted by the
// order of the description; none of them is null in JSON.
type Contract struct {
	// Version of this shape; see [Version].
	Version int `json:"version" jsonschema:"enum=1"`
	// Image is the name of the description's image block, such as "opensm".
	Image string `json:"image" jsonschema:"minLength=1"`
	// Init is the program that runs as PID 1. Only "systemd" is known: the
	// container needs the tmpfs list below and a view of its cgroup, whose form
	// depends on the host (cgroup v1 or v2) and is therefore not in here.
	Init string `json:"init" jsonschema:"enum=systemd"`
	// Network is the network mode. Fabric services need "host".
	Network string `json:"network" jsonschema:"enum=host,enum=none"`
	// ReadOnly says that the root file system is mounted read-only; only
	// volumes and tmpfs are writable.
	ReadOnly bool `json:"read_only"`
	// CgroupVersions are those on which the image's systemd boots, out of 1 and
	// 2: systemd 219 of EL 7 does not know version 2.
	CgroupVersions []int `json:"cgroup_versions" jsonschema:"minItems=1"`
	// Ports that the service listens on.
	Ports []Port `json:"ports"`
	// Volumes that outlive the container.
	Volumes []Volume `json:"volumes"`
	// Tmpfs mounts, empty at every start.
	Tmpfs []Tmpfs `json:"tmpfs"`
	// Devices of the host that the service opens.
	Devices []Device `json:"devices"`
	// Capabilities beyond the container engine's default set, each with the
	// reason why the service cannot do without.
	Capabilities []Capability `json:"capabilities"`
	// NoNewPrivileges says that no program of the container gains privileges by
	// execve(2): set-user-ID and set-group-ID bits and file capabilities do
	// nothing (PR_SET_NO_NEW_PRIVS, prctl(2)).
	NoNewPrivileges bool `json:"no_new_privileges"`
	// NewPrivilegesReason is why the service cannot do without; left out where
	// NoNewPrivileges is true.
	NewPrivilegesReason string `json:"new_privileges_reason,omitempty" jsonschema:"minLength=1"`
	// Limits of what the container may take.
	Limits Limits `json:"limits"`
	// Stop says how the container is stopped in an orderly way.
	Stop Stop `json:"stop"`
	// Health is the health check; null where the image has none.
	Health *Health `json:"health" jsonschema:"nullable"`
	// Modules are kernel modules that the host loads before the start.
	Modules []string `json:"modules"`
	// Excludes are roles on the fabric that only one service may play on one
	// host, such as "subnet-manager". Two contracts that share one exclude
	// each other.
	Excludes []string `json:"excludes"`
	// Units that are active once the container is up.
	Units []string `json:"units"`
}

// Ways to move a port.
const (
	// ViaNone leaves the port where it is.
	ViaNone = "none"
	// ViaConfig rewrites the service's own files inside the container, before
	// every start of the unit that listens.
	ViaConfig = "config"
	// ViaSocket moves the port below the service, unmodified: cgroup BPF
	// programs translate it in bind(2), connect(2) and their kin.
	ViaSocket = "socket"
)

// Port is one port that the service insists on, and where it lands.
type Port struct {
	Name     string `json:"name" jsonschema:"minLength=1"`
	Protocol string `json:"protocol" jsonschema:"enum=tcp,enum=udp"`
	// Address that the unmodified service binds: "any" or "loopback".
	Address string `json:"address" jsonschema:"enum=any,enum=loopback"`
	// Listens is the number that the unmodified service binds.
	Listens int `json:"listens" jsonschema:"minimum=1,maximum=65535"`
	// Host is the number that the host sees.
	Host int `json:"host" jsonschema:"minimum=1,maximum=65535"`
	// Via says how the port is moved; see [ViaNone], [ViaConfig], [ViaSocket].
	Via string `json:"via" jsonschema:"enum=none,enum=config,enum=socket"`
	// Unit is the systemd unit that listens. Before each of its starts the
	// files are rewritten, or the socket hooks looked for. Empty for ViaNone.
	Unit string `json:"unit"`
	// Guarded says that only processes of the service's own cgroup may connect
	// to the port on the host.
	Guarded bool `json:"guarded"`
	// Rewrites of ViaConfig; empty for the others.
	Rewrites []Rewrite `json:"rewrites"`
}

// PortPlaceholder stands for the port's number in a Rewrite's Match.
const PortPlaceholder = "{port}"

// Rewrite says where in a file of the service a port's number stands.
type Rewrite struct {
	// Path of the file in the container.
	Path string `json:"path" jsonschema:"pattern=^/"`
	// Match is a regular expression (https://go.dev/s/re2syntax) that begins
	// with "^", which is the begin of a line, and holds [PortPlaceholder] once.
	// What stands at the placeholder is replaced, nothing else of the file.
	Match string `json:"match" jsonschema:"pattern=^\\^"`
	// Count is how often Match is found; any other number is a fault.
	Count int `json:"count" jsonschema:"minimum=1"`
}

// PortMapVersion is the version of the shape of a PortMap.
const PortMapVersion = 1

// PortMapPath is where an image keeps its PortMap. A site that moves a port
// elsewhere than the image says mounts its own file over it.
const PortMapPath = "/etc/ibforge/ports.json"

// PortMap is the ports of one service as a file: in its image, and on the host
// for the agent that attaches the socket hooks.
type PortMap struct {
	// Version of this shape; see [PortMapVersion].
	Version int `json:"version"`
	// Service is the name of the container on the host, that of the image in
	// the image.
	Service string `json:"service"`
	// Cgroup is the service's cgroup, an absolute path below the root of the
	// cgroup v2 tree such as "/ibforge-ib_ufm". Empty in an image.
	Cgroup string `json:"cgroup,omitempty"`
	// SystemContainer says that the host is itself a container that runs
	// systemd, with a cgroup namespace and a network namespace of its own: the
	// part of the cgroup tree that it sees then has all who can reach a guarded
	// port. Nobody can find that out from within.
	SystemContainer bool `json:"system_container,omitempty"`
	// Ports as in the contract, Host being where the site wants them.
	Ports []Port `json:"ports"`
}

// Volume is storage that outlives the container.
type Volume struct {
	Name string `json:"name" jsonschema:"minLength=1"`
	// Path is the mount point in the container.
	Path string `json:"path" jsonschema:"pattern=^/"`
	// Host is a directory of the host. Empty stands for a named volume that
	// the container engine keeps.
	Host string `json:"host,omitempty" jsonschema:"pattern=^/"`
	// ReadOnly mounts it without write access.
	ReadOnly bool `json:"read_only"`
}

// Tmpfs is one tmpfs mount.
type Tmpfs struct {
	Path string `json:"path" jsonschema:"pattern=^/"`
	// Options in mount(8) form, comma separated; empty means the engine's
	// default, which is rw,noexec,nosuid,nodev.
	Options string `json:"options,omitempty"`
}

// Device is a device node of the host, or a directory of them.
type Device struct {
	Path string `json:"path" jsonschema:"pattern=^/dev/"`
	// Permissions for the device cgroup: a subset of "rwm".
	Permissions string `json:"permissions" jsonschema:"pattern=^r?w?m?$"`
}

// Capability is a Linux capability and why it is needed.
type Capability struct {
	// Name in capabilities(7) form without the CAP_ prefix, such as NET_ADMIN.
	Name   string `json:"name" jsonschema:"pattern=^[A-Z_]+$"`
	Reason string `json:"reason" jsonschema:"minLength=1"`
}

// Limits of what the container may take. One that is left out is the container
// engine's own.
type Limits struct {
	// MemoryBytes of the container, without swap.
	MemoryBytes int64 `json:"memory_bytes,omitempty" jsonschema:"minimum=6291456"`
	// Pids is the number of processes and threads of the container.
	Pids int `json:"pids,omitempty" jsonschema:"minimum=1"`
	// Nofile is the number of files that one process may have open, both the
	// soft and the hard limit of PID 1 (RLIMIT_NOFILE, getrlimit(2)).
	Nofile int `json:"nofile,omitempty" jsonschema:"minimum=1"`
}

// Stop is the way to an orderly exit with status 0.
type Stop struct {
	// Signal to PID 1. systemd wants SIGRTMIN+3 to halt (systemd(1), SIGNALS).
	Signal string `json:"signal" jsonschema:"minLength=1"`
	// TimeoutSeconds is how long the engine waits before it sends SIGKILL.
	TimeoutSeconds int `json:"timeout_seconds" jsonschema:"minimum=1"`
}

// Health is a command that exits 0 while the service does its work. All of
// the fields are always given: a container engine merges a partial health
// check with the image's own, and Ansible then sees a difference in every run.
type Health struct {
	Command            []string `json:"command" jsonschema:"minItems=1"`
	IntervalSeconds    int      `json:"interval_seconds" jsonschema:"minimum=1"`
	TimeoutSeconds     int      `json:"timeout_seconds" jsonschema:"minimum=1"`
	StartPeriodSeconds int      `json:"start_period_seconds" jsonschema:"minimum=0"`
	Retries            int      `json:"retries" jsonschema:"minimum=1"`
}
