package spec

import (
	"io/fs"

	"github.com/hashicorp/hcl/v2"
)

// Project is everything that a set of descriptions says, decoded and valid.
type Project struct {
	// Images in the order in which they must be built: an image stands after
	// the one it comes from. Independent images are sorted by name.
	Images []*Image
	// Variables by name order, with the value that was in force.
	Variables []Variable
}

// Image is one image block.
type Image struct {
	Name        string
	Description string
	// Dir is the slash-separated directory of the description, relative to the
	// project directory; Rootfs is relative to it.
	Dir string
	// Exactly one of Bootstrap, Parent and Reference is set.
	Bootstrap *Bootstrap
	Parent    *Image
	Reference *Reference

	// Packages to install beside those of the bootstrap.
	Packages []string
	// OmitPackages are dependencies that are knowingly not installed, sorted by
	// name.
	OmitPackages []Reasoned
	// Prune are glob patterns of absolute paths that no layer of this image
	// keeps, in path.Match form; a directory goes with all below it. Sorted.
	Prune []Reasoned
	// Rootfs is a directory whose content is copied to /; empty for none.
	// RootfsFS is that directory, and cannot be left through a symbolic link.
	Rootfs   string
	RootfsFS fs.FS
	Payloads []Payload
	Runs     []Run
	Units    []Unit
	Env      map[string]string
	Labels   map[string]string
	// Runtime is nil for an image that is only built upon.
	Runtime *Runtime

	// DefRange is the block's header, for messages about the image as a whole.
	DefRange hcl.Range
}

// Variable is a declared input of the descriptions.
type Variable struct {
	Name        string
	Description string
	Sensitive   bool
	// Value is the value in force as JSON, "(sensitive)" for a sensitive one.
	Value string
	// Source tells where the value comes from: "default", "--var",
	// "environment" or the name of a --var-file.
	Source string
}

// Bootstrap makes a root file system from a distribution's packages.
type Bootstrap struct {
	// Distribution is the block's label; "debian" is the only one known.
	Distribution string
	// Suite is a release code name such as "bookworm"; never "stable", which moves.
	Suite string
	// Mirror is the canonical archive, which the image's package sources name.
	Mirror string
	// Components of the archive, such as "main".
	Components []string
	// Variant is mmdebstrap's: which set of packages to start from.
	Variant  string
	Packages []string
	DefRange hcl.Range
}

// Reference is an image made elsewhere, pinned by digest.
type Reference struct {
	// Transport and Location as in containers-transports(5), such as "docker"
	// and "//docker.io/library/debian".
	Transport, Location string
	// Digest of the manifest, "sha256:…".
	Digest string
	Range  hcl.Range
}

// String gives the reference in containers-transports(5) form, without the digest.
func (r *Reference) String() string { return r.Transport + ":" + r.Location }

// Reasoned is a name or path and the reason why it is treated specially.
type Reasoned struct {
	Value, Reason string
}

// UnitState is what becomes of a systemd unit at boot.
type UnitState string

// The states a unit block may ask for.
const (
	UnitEnabled  UnitState = "enabled"
	UnitDisabled UnitState = "disabled"
	UnitMasked   UnitState = "masked"
)

// Unit is a systemd unit of the image and its state.
type Unit struct {
	Name  string
	State UnitState
	// Reason is required for a masked or a disabled unit.
	Reason   string
	DefRange hcl.Range
}

// Payload is a file that the user supplies and nobody may hand on. Commands of
// the build see it unpacked; no layer has it.
type Payload struct {
	Name string
	// Source is the file on the build host; empty while it is not given.
	Source string
	// Variable is the one that Source comes from, for messages; empty for none.
	Variable string
	// SHA256 of the file, in hex.
	SHA256 string
	// Limit of the unpacked content in bytes.
	Limit int64
	// Unpack is the directory in the working container that holds the content.
	Unpack string
	// Strip is how many leading components every path in the archive loses.
	Strip int
	// Supplier says who has the file and where a licensed user gets it.
	Supplier string
	DefRange hcl.Range
}

// Run is a command that is carried out in the image while it is built.
type Run struct {
	Name    string
	Command []string
	// Network is "none" (the default) or "host".
	Network string
	Env     map[string]string
	// Payloads that the command sees, by name.
	Payloads []string
	DefRange hcl.Range
}

// Runtime is the runtime block, from which plan makes the Runtime contract.
// Defaults are filled in. Tmpfs begins with /run, /run/lock and /tmp, which
// systemd needs; their DefRange is empty unless the description has them.
type Runtime struct {
	Network  string
	ReadOnly bool
	// CgroupVersions on which the image's systemd boots, ascending.
	CgroupVersions []int
	Ports          []Port
	Volumes        []Volume
	Tmpfs          []Tmpfs
	Devices        []Device
	Capabilities   []Reasoned
	// NewPrivileges is the reason why programs may gain privileges by execve(2),
	// as set-user-ID programs do. Empty forbids it.
	NewPrivileges string
	Limits        Limits
	Stop          Stop
	Health        *Health
	Modules       []string
	Excludes      []string
	DefRange      hcl.Range
}

// Port is a port block; see contract.Port.
type Port struct {
	Name, Protocol, Address, Via, Unit string
	Listens, Host                      int
	Guarded                            bool
	Rewrites                           []Rewrite
	DefRange                           hcl.Range
}

// Rewrite is a rewrite block: its label is the path.
type Rewrite struct {
	Path, Match string
	Count       int
	DefRange    hcl.Range
}

// Volume is a volume block; see contract.Volume.
type Volume struct {
	Name, Path, Host string
	ReadOnly         bool
	DefRange         hcl.Range
}

// Tmpfs is a tmpfs block: its label is the path.
type Tmpfs struct {
	Path, Options string
	DefRange      hcl.Range
}

// Device is a device block: its label is the path.
type Device struct {
	Path, Permissions string
	DefRange          hcl.Range
}

// Limits is the limits block; 0 leaves a limit to the container engine.
type Limits struct {
	// Memory in bytes.
	Memory int64
	// Pids is the number of processes and threads, Nofile that of open files of
	// one process.
	Pids, Nofile int
}

// Stop is the stop block; the zero value is never seen, defaults are filled in.
type Stop struct {
	Signal         string
	TimeoutSeconds int
}

// Health is the health block, durations in whole seconds, defaults filled in.
type Health struct {
	Command                                             []string
	IntervalSeconds, TimeoutSeconds, StartPeriodSeconds int
	Retries                                             int
	DefRange                                            hcl.Range
}
