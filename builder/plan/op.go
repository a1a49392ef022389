package plan

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/contract"
)

// Kind names a step's type; it is part of the machine-readable plan.
type Kind string

// The kinds of steps, in the order in which an image may have them.
const (
	KindImport    Kind = "import"
	KindBootstrap Kind = "bootstrap"
	KindPackages  Kind = "packages"
	KindRootfs    Kind = "rootfs"
	KindRun       Kind = "run"
	KindUnits     Kind = "units"
	KindPorts     Kind = "ports"
	KindConfig    Kind = "config"
)

// Op is what one step does. The set is closed: the engine switches over it.
type Op interface {
	kind() Kind
	summary() string
}

// Import takes an image that was made elsewhere.
type Import struct {
	// Reference in containers-transports(5) form, without the digest.
	Reference string `json:"reference"`
	// Digest that the source's manifest must have.
	Digest string    `json:"digest"`
	Range  hcl.Range `json:"-"`
}

// Bootstrap makes a root file system out of a distribution's packages.
type Bootstrap struct {
	Distribution string `json:"distribution"`
	Suite        string `json:"suite"`
	Variant      string `json:"variant"`
	// Sources are sources.list(5) lines; they stay in the image.
	Sources  []string  `json:"sources"`
	Packages []string  `json:"packages"`
	Prune    []string  `json:"prune"`
	Range    hcl.Range `json:"-"`
}

// Packages installs distribution packages.
type Packages struct {
	Install []string `json:"install"`
	// Omit are dependencies that are taken to be there although they are not.
	Omit  []string  `json:"omit"`
	Prune []string  `json:"prune"`
	Range hcl.Range `json:"-"`
}

// Rootfs copies files to /. They belong to root; their time is the epoch.
type Rootfs struct {
	Files []File `json:"files"`
	// FS holds the files' content; it is not part of the key, the digests are.
	FS fs.FS `json:"-"`
}

// File is a directory, regular file or symbolic link of a rootfs.
type File struct {
	// Path without the leading slash, as in an image layer.
	Path string `json:"path"`
	// Mode is 0755 for directories and executables, 0644 for the rest: a git
	// checkout keeps the executable bit and nothing else.
	Mode string `json:"mode"`
	// SHA256 of a regular file's content in hex.
	SHA256 string `json:"sha256,omitempty"`
	// Target of a symbolic link.
	Target string `json:"target,omitempty"`
}

// Units sets which systemd units start at boot.
type Units struct {
	Enable  []string `json:"enable"`
	Disable []string `json:"disable"`
	Mask    []string `json:"mask"`
	// Ranges says where each unit is described, for messages.
	Ranges map[string]hcl.Range `json:"-"`
}

// Run carries a command out in the image.
type Run struct {
	Name    string            `json:"name"`
	Command []string          `json:"command"`
	Network string            `json:"network"`
	Env     map[string]string `json:"env"`
	// Payloads that the command sees; they get into no layer.
	Payloads []Payload `json:"payloads"`
	Prune    []string  `json:"prune"`
	Range    hcl.Range `json:"-"`
}

// Payload is a file of the build host, unpacked for one command.
type Payload struct {
	Name string `json:"name"`
	// Source is not part of the key, the sum is: the same file elsewhere makes
	// the same image.
	Source string `json:"-"`
	SHA256 string `json:"sha256"`
	// Limit of the unpacked content in bytes. What fits into it is unpacked
	// alike, so it is not part of the key.
	Limit  int64     `json:"-"`
	Unpack string    `json:"unpack"`
	Strip  int       `json:"strip"`
	Range  hcl.Range `json:"-"`
}

// Ports puts into the image what moves its ports: the helper, the port map,
// and a drop-in for each unit that listens.
type Ports struct {
	// Helper is the SHA-256 of the static program ibforge-ports, in hex.
	Helper string           `json:"helper"`
	Map    contract.PortMap `json:"map"`
	// Units whose every start the helper goes before.
	Units []string `json:"units"`
	// Range of the runtime block.
	Range hcl.Range `json:"-"`
}

// Config sets the image's configuration; it makes no layer.
type Config struct {
	Cmd        []string          `json:"cmd"`
	Env        map[string]string `json:"env"`
	Labels     map[string]string `json:"labels"`
	StopSignal string            `json:"stop_signal,omitempty"`
	Volumes    []string          `json:"volumes"`
	Health     *Health           `json:"health,omitempty"`
}

// Health is the image's own health check, for whoever runs it by hand; the
// roles take it from the contract. All durations are in seconds.
type Health struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval_seconds"`
	Timeout     int      `json:"timeout_seconds"`
	StartPeriod int      `json:"start_period_seconds"`
	Retries     int      `json:"retries"`
}

func (Import) kind() Kind    { return KindImport }
func (Bootstrap) kind() Kind { return KindBootstrap }
func (Packages) kind() Kind  { return KindPackages }
func (Rootfs) kind() Kind    { return KindRootfs }
func (Units) kind() Kind     { return KindUnits }
func (Run) kind() Kind       { return KindRun }
func (Ports) kind() Kind     { return KindPorts }
func (Config) kind() Kind    { return KindConfig }

func (o Import) summary() string { return "import " + o.Reference + "@" + o.Digest }
func (o Bootstrap) summary() string {
	return strings.TrimSpace(fmt.Sprintf("bootstrap %s %s (%s) %s", o.Distribution, o.Suite, o.Variant, strings.Join(o.Packages, " ")))
}
func (o Packages) summary() string {
	s := "packages " + strings.Join(o.Install, " ")
	if len(o.Omit) > 0 {
		s += ", without " + strings.Join(o.Omit, " ")
	}
	return s
}
func (o Rootfs) summary() string { return fmt.Sprintf("rootfs, %d entries", len(o.Files)) }
func (o Units) summary() string {
	var parts []string
	for _, p := range []struct {
		verb  string
		units []string
	}{{"enable", o.Enable}, {"disable", o.Disable}} {
		if len(p.units) > 0 {
			parts = append(parts, p.verb+" "+strings.Join(p.units, " "))
		}
	}
	if len(o.Mask) > 0 {
		parts = append(parts, fmt.Sprintf("mask %d", len(o.Mask)))
	}
	return "units " + strings.Join(parts, ", ")
}
func (o Run) summary() string { return "run " + o.Name + ": " + strings.Join(o.Command, " ") }
func (o Ports) summary() string {
	var moves []string
	for _, p := range o.Map.Ports {
		move := fmt.Sprintf("%s %d", p.Name, p.Listens)
		if p.Via != contract.ViaNone {
			move += fmt.Sprintf(" to %d by %s", p.Host, p.Via)
		}
		if p.Guarded {
			move += " guarded"
		}
		moves = append(moves, move)
	}
	return "ports " + strings.Join(moves, ", ")
}
func (o Config) summary() string {
	return fmt.Sprintf("config, %d labels", len(o.Labels))
}
