package lab

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Limits of a host's life. On an idle machine it boots in half a second, and
// dockerd is the slowest to end.
const (
	hostBootLimit = 2 * time.Minute
	hostDownLimit = 2 * time.Minute
)

// Debian releases that a [Host] may be of.
const (
	Bookworm = "bookworm"
	Trixie   = "trixie"
)

var (
	//go:embed host_boot.sh
	hostBoot []byte
	//go:embed host_enter.sh
	hostEnter []byte
	//go:embed host_ssh.sh
	hostSSH []byte
)

// hostName is what a single label of a domain name may be (RFC 1123, 2.1).
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// HostOptions say what [StartHost] starts.
type HostOptions struct {
	// Dir holds all that the host writes. It is created if absent, and must be
	// on a file system that can carry overlayfs, which overlayfs cannot.
	Dir string
	// Cache keeps one root file system for each suite for all hosts, and
	// between runs: 600 MB and most of a minute to make.
	Cache string
	// Mirror replaces Debian's canonical archive, http://deb.debian.org, while
	// the root file system is made; it does not get into it. May be empty.
	Mirror string
	// Suite is [Bookworm] or [Trixie]; empty is Bookworm.
	Suite string
	// Name is the host's name; empty makes one up.
	Name string
	// CgroupV2 shows the host cgroup version 2 on a machine that has version 1
	// or a hybrid, with only those controllers that version 1 left over: limits
	// do nothing. False takes what the machine has.
	CgroupV2 bool
	// Network is the path of a network namespace for the host to live in
	// beside others: [Host.Network] of another host, or /proc/self/ns/net for
	// that of this process. Empty gives the host one of its own, with nothing
	// but a loopback device.
	Network string
	// Log receives what the host says until its journal runs; nil keeps only
	// the end of it for errors.
	Log io.Writer
}

// HostTools are the tools of [StartHost].
func HostTools() []Tool {
	return []Tool{
		{"mmdebstrap", "mmdebstrap"},
		{"unshare", "util-linux"},
		{"nsenter", "util-linux"},
	}
}

// Host is a Debian host with systemd, docker and podman, as far as a controller
// of a cloud looks like one to Ansible: it shares the kernel with the machine
// and nothing else. Kernel modules and settings outside of its own network
// namespace are the machine's and cannot be changed from in there.
type Host struct {
	dir, id, name, tree string
	opts                HostOptions
	life                life

	// network keeps the network namespace while the host reboots; nil if that
	// is somebody else's.
	network *process
	netPath string

	mu   sync.Mutex
	proc *process
}

// StartHost starts a host and returns when systemd says that it is running and
// nothing failed. It needs root.
func StartHost(ctx context.Context, opts HostOptions) (*Host, error) {
	if err := Missing(HostTools()...); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("lab: a host needs root: run this as root")
	}
	if err := opts.settle(); err != nil {
		return nil, err
	}
	tree, err := hostTree(ctx, opts)
	if err != nil {
		return nil, err
	}
	dir, err := makeDir("host", opts.Dir)
	if err != nil {
		return nil, err
	}
	h := &Host{dir: dir, id: "ibforge-lab-" + newID(), name: opts.Name, tree: tree, opts: opts}
	if err := h.start(ctx); err != nil {
		return nil, errors.Join(err, h.Stop(ctx))
	}
	h.life.bind(ctx, h.Stop)
	return h, nil
}

// settle fills in what was left out and refuses what cannot work.
func (o *HostOptions) settle() error {
	var errs []error
	if o.Suite == "" {
		o.Suite = Bookworm
	}
	if o.Suite != Bookworm && o.Suite != Trixie {
		errs = append(errs, fmt.Errorf("lab: host: suite %q: take %q or %q", o.Suite, Bookworm, Trixie))
	}
	if o.Name == "" {
		o.Name = "host-" + newID()
	}
	if !hostName.MatchString(o.Name) {
		errs = append(errs, fmt.Errorf("lab: host: name %q: take small letters, digits and hyphens", o.Name))
	}
	if o.Suite == Trixie && !o.CgroupV2 && !hostIsCgroupV2() {
		// Seen: systemd 257 boots, but a container of docker 26 with systemd in
		// it ends with status 255.
		errs = append(errs, errors.New("lab: host: Debian 13 has no cgroup version 1: set CgroupV2"))
	}
	return errors.Join(errs...)
}

// start makes the host's directory and network and boots it.
func (h *Host) start(ctx context.Context) error {
	for _, d := range []string{"upper", "work", "root", "lib/docker", "lib/containerd", "lib/containers"} {
		if err := os.MkdirAll(filepath.Join(h.dir, d), 0o755); err != nil {
			return fmt.Errorf("lab: host: %w", err)
		}
	}
	if err := h.openNetwork(ctx); err != nil {
		return err
	}
	view := "machine"
	if h.opts.CgroupV2 || hostIsCgroupV2() {
		view = "v2"
	}
	settings := fmt.Sprintf("id=%s name=%s view=%s tree=%s network=%s\n",
		h.id, h.name, view, quoteShell(h.tree), quoteShell(h.netPath))
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{
		{"settings", []byte(settings), 0o600}, {"boot", hostBoot, 0o700}, {"enter", hostEnter, 0o700}, {"ssh", hostSSH, 0o700},
	} {
		if err := os.WriteFile(filepath.Join(h.dir, f.name), f.text, f.mode); err != nil {
			return fmt.Errorf("lab: host: %w", err)
		}
	}
	if err := h.Start(ctx); err != nil {
		return err
	}
	out, err := h.Exec(ctx, "systemctl", "--failed", "--no-legend", "--plain")
	if err == nil && len(out) > 0 {
		err = fmt.Errorf("lab: host %s: units failed at boot:\n%s", h.name, out)
	}
	return err
}

// openNetwork makes the host's network namespace, or takes that of the options.
func (h *Host) openNetwork(ctx context.Context) (err error) {
	if h.netPath = h.opts.Network; h.netPath != "" {
		return nil
	}
	h.network, h.netPath, err = startNamespace(ctx, "net", "--net")
	return err
}

// quoteShell makes one word for sh(1) of any text.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
