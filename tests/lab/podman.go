package lab

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// podmanStartLimit is how long the first call of podman may take.
const podmanStartLimit = 60 * time.Second

//go:embed podman.sh
var podmanScript []byte

// podmanConf goes by what podman 4.3 of Debian 12 needs where the process may
// not raise limits and systemd does not run: limits that it has, cgroupfs, and
// runc, since this release's crun knows no hybrid cgroups.
const podmanConf = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
pids_limit = 0
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "cni"
`

// PodmanOptions say what [StartPodman] starts.
type PodmanOptions struct {
	// Dir holds images, containers and the program. It is created if absent,
	// should be on a file system that can carry overlayfs, and is left to the
	// caller to remove after Stop.
	Dir string
	// CgroupV2 shows podman cgroup version 2 on a machine that has version 1 or
	// a hybrid; see [EngineOptions].
	CgroupV2 bool
	// Log receives what the keeper of podman's namespaces says; nil keeps only
	// the end of it for errors.
	Log io.Writer
}

// PodmanTools are the tools of [StartPodman].
func PodmanTools() []Tool {
	return []Tool{{"podman", "podman"}, {"runc", "runc"}, {"unshare", "util-linux"}, {"nsenter", "util-linux"}}
}

// Podman is this machine's podman with images, containers, locks, mounts and
// processes of its own. podman has no daemon: a keeper of its mount and PID
// namespaces stands in for one, and what podman starts ends with it. There is
// no systemd in it, so podman runs health checks only when it is asked to.
type Podman struct {
	dir  string
	proc *process
	life life
}

// StartPodman prepares a podman and returns when it has answered. It needs root.
func StartPodman(ctx context.Context, opts PodmanOptions) (*Podman, error) {
	if err := Missing(PodmanTools()...); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("lab: podman with the host's network needs root: run this as root")
	}
	dir, err := makeDir("podman", opts.Dir)
	if err != nil {
		return nil, err
	}
	p := &Podman{dir: dir}
	if err := p.start(ctx, opts); err != nil {
		return nil, errors.Join(err, p.Stop(ctx))
	}
	p.life.bind(ctx, p.Stop)
	return p, nil
}

func (p *Podman) start(ctx context.Context, opts PodmanOptions) error {
	view := "machine"
	if opts.CgroupV2 && !hostIsCgroupV2() {
		view = "v2"
	}
	podman, err := findTool("podman")
	if err != nil {
		return err
	}
	unshare, err := findTool("unshare")
	if err != nil {
		return err
	}
	settings := fmt.Sprintf("view=%s program=%s\n", view, quoteShell(podman))
	err = errors.Join(
		os.WriteFile(filepath.Join(p.dir, "settings"), []byte(settings), 0o600),
		os.WriteFile(filepath.Join(p.dir, "containers.conf"), []byte(podmanConf), 0o600),
		os.WriteFile(p.Path(), podmanScript, 0o700)) //nolint:gosec // G306: it is a program
	if err != nil {
		return fmt.Errorf("lab: podman: %w", err)
	}
	p.proc, err = startProcess("keeper of podman", command{
		argv: []string{
			unshare, "--fork", "--kill-child", "--pid", "--mount", "--propagation", "slave",
			"sh", p.Path(), "ibforge-lab-keep",
		},
		dir: p.dir, log: opts.Log, deathSignal: syscall.SIGKILL, env: []string{"PATH=" + searchPath},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, podmanStartLimit)
	defer cancel()
	return poll(ctx, p.proc, func(ctx context.Context) error {
		if _, err := os.Stat(filepath.Join(p.dir, "pid")); err != nil {
			return fmt.Errorf("%w: %w", errNotYet, err)
		}
		_, err := p.Exec(ctx, "info")
		return err
	})
}

// Path is a program that behaves as podman, for who is to call it.
func (p *Podman) Path() string { return filepath.Join(p.dir, "podman") }

// Exec runs podman with these arguments and returns its standard output. The
// error quotes both output and standard error.
func (p *Podman) Exec(ctx context.Context, args ...string) ([]byte, error) {
	out, messages, err := runProcess(ctx, append([]string{p.Path()}, args...)...)
	if err != nil {
		_, _ = messages.Write(out)
		err = fmt.Errorf("lab: podman %s: %w%s", strings.Join(args, " "), err, messages.quote())
	}
	return out, err
}

// Stop removes all containers and their cgroup parents that are ibforge's, and
// ends every process in podman's namespaces. Images and volumes stay in its
// directory, and so does the cgroup parent of a container that was removed
// before.
func (p *Podman) Stop(ctx context.Context) error {
	return p.life.end(func() error {
		if p.proc == nil {
			return nil
		}
		var errs []error
		// What podman takes for containers that name none.
		parents := []string{"/libpod_parent"}
		if !p.proc.ended() {
			limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupLimit)
			defer cancel()
			named, err := p.cgroupParents(limited)
			parents = append(parents, named...)
			// runc removes the cgroups of containers that it deletes; of those
			// that are killed they would stay.
			_, removed := p.Exec(limited, "rm", "--force", "--all", "--time", "2")
			errs = append(errs, err, removed)
		}
		errs = append(errs, killNamespace(p.proc, filepath.Join(p.dir, "pid")), removeCgroups("/", parents))
		return errors.Join(errs...)
	})
}

// cgroupParents are those that present containers name and that are ibforge's.
func (p *Podman) cgroupParents(ctx context.Context) ([]string, error) {
	ids, err := p.Exec(ctx, "ps", "--all", "--quiet")
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out, err := p.Exec(ctx, append([]string{"inspect", "--format", "{{.HostConfig.CgroupParent}}"}, strings.Fields(string(ids))...)...)
	if err != nil {
		return nil, err
	}
	var parents []string
	for name := range strings.FieldsSeq(string(out)) {
		if name = path.Clean("/" + name); strings.HasPrefix(name, "/ibforge") {
			parents = append(parents, name)
		}
	}
	return parents, nil
}
