package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"
)

// engineStartLimit is how long dockerd may take until it answers. It takes a
// quarter of a second on an idle machine.
const engineStartLimit = 60 * time.Second

// maxEngineDir is the longest directory whose deepest socket,
// exec/containerd/containerd.sock.ttrpc, still fits into the 107 bytes of
// sun_path (unix(7)).
const maxEngineDir = 107 - len("/exec/containerd/containerd.sock.ttrpc")

// EngineOptions say what [StartEngine] starts.
type EngineOptions struct {
	// Dir holds the engine's images, containers, socket and log. It is created
	// if absent, should be on a file system that can carry overlayfs, and is
	// left to the caller to remove after Stop.
	Dir string
	// CgroupV2 shows the engine cgroup version 2 on a host that has version 1
	// or a hybrid; such an engine has only those controllers that version 1
	// left over, so memory and pids limits do nothing. False takes what the
	// host has.
	CgroupV2 bool
	// Log receives dockerd's log; nil keeps only the end of it for errors.
	Log io.Writer
}

// Engine is a dockerd that shares neither socket, images, containers nor
// containerd with any other on the machine.
type Engine struct {
	dir, id string
	argv    command
	v2      bool
	client  *client.Client
	proc    *process
	parents *cgroupParents
	life    life
}

// engineScript makes the engine's view of the file system and becomes dockerd.
//
// The empty /run/containerd hides a containerd of the host: dockerd would use
// one that it finds there (initContainerD in moby's cmd/dockerd/daemon_unix.go)
// and share its containers with the host's own docker. The mounts vanish
// together with the last process in the mount namespace.
const engineScript = `set -e
mkdir -p /run/containerd
mount -t tmpfs -o mode=711 tmpfs /run/containerd
if [ "$1" = v2 ]; then
	while umount -R /sys/fs/cgroup 2>/dev/null; do :; done
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
shift
exec "$@"`

// StartEngine starts a dockerd and returns when it answers. It needs root. The
// error of a failed start has the end of dockerd's log, and a [*MissingError]
// in its chain if a program is not installed.
func StartEngine(ctx context.Context, opts EngineOptions) (*Engine, error) {
	if err := Missing(EngineTools()...); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("lab: a container engine needs root: run this as root")
	}
	dir, err := makeDir("container engine", opts.Dir)
	if err != nil {
		return nil, err
	}
	if len(dir) > maxEngineDir {
		return nil, fmt.Errorf("lab: directory %s of the container engine is longer than %d bytes, which its sockets do not allow: choose a shorter one", dir, maxEngineDir)
	}
	e := &Engine{dir: dir, id: newID()}
	cmd, err := e.command(opts)
	if err != nil {
		return nil, err
	}
	e.argv, e.v2 = cmd, opts.CgroupV2
	e.client, err = client.NewClientWithOpts(client.WithHost(e.Host()), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("lab: client of the container engine: %w", err)
	}
	e.proc, err = startProcess("dockerd", cmd)
	if err != nil {
		return nil, errors.Join(err, e.client.Close())
	}
	e.parents = newCgroupParents(e.cgroupParent())
	if err := e.await(ctx, opts.CgroupV2); err != nil {
		return nil, failedStart(err, e.Stop(ctx))
	}
	e.parents.watch(e.client)
	e.life.bind(ctx, e.Stop)
	return e, nil
}

// Restart ends dockerd in an orderly way, which stops its containers, and starts
// it again on the same data, which starts those that have a restart policy. It
// is not for use beside Stop.
func (e *Engine) Restart(ctx context.Context) error {
	e.parents.stop()
	if err := e.proc.stop(ctx); err != nil {
		return err
	}
	proc, err := startProcess("dockerd", e.argv)
	if err != nil {
		return err
	}
	e.proc = proc
	if err := e.await(ctx, e.v2); err != nil {
		return err
	}
	e.parents.watch(e.client)
	return nil
}

// command is dockerd with everything of its own, in a mount namespace.
func (e *Engine) command(opts EngineOptions) (command, error) {
	// An absent file would be an error, and the host's /etc/docker/daemon.json
	// must not take part.
	config := filepath.Join(e.dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}\n"), 0o600); err != nil {
		return command{}, fmt.Errorf("lab: container engine: %w", err)
	}
	view := "host"
	if opts.CgroupV2 && !hostIsCgroupV2() {
		view = "v2"
	}
	unshare, err := findTool("unshare")
	if err != nil {
		return command{}, err
	}
	dockerd, err := findTool("dockerd")
	if err != nil {
		return command{}, err
	}
	argv := []string{
		unshare, "--mount", "--propagation", "slave", "sh", "-c", engineScript, "sh", view,
		dockerd, "--config-file", config,
		"--data-root", filepath.Join(e.dir, "root"), "--exec-root", filepath.Join(e.dir, "exec"),
		"--pidfile", filepath.Join(e.dir, "pid"), "--host", e.Host(), "--group", "root", "--log-level", "warn",
		// Fabric services use the host's network; the host's packet filter and
		// bridges stay as they are.
		"--iptables=false", "--ip6tables=false", "--bridge=none",
		// Works with and without systemd on the host.
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", e.cgroupParent(),
	}
	return command{
		argv: argv, dir: e.dir, env: []string{"PATH=" + searchPath}, log: opts.Log,
		// SIGTERM, not SIGKILL: dockerd then ends its containers itself.
		deathSignal: syscall.SIGTERM,
	}, nil
}

// await returns when dockerd answers with the cgroup version that was asked
// for.
func (e *Engine) await(ctx context.Context, cgroupV2 bool) error {
	ctx, cancel := context.WithTimeout(ctx, engineStartLimit)
	defer cancel()
	return poll(ctx, e.proc, func(ctx context.Context) error {
		info, err := e.client.Info(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errNotYet, err)
		}
		if cgroupV2 && info.CgroupVersion != "2" {
			return fmt.Errorf("lab: dockerd says cgroup version %q instead of 2%s", info.CgroupVersion, e.proc.out.quote())
		}
		return nil
	})
}

// Host returns the engine's address in the form of DOCKER_HOST,
// "unix:///path".
func (e *Engine) Host() string { return "unix://" + filepath.Join(e.dir, "sock") }

// Client returns a client of the engine. It belongs to the engine: do not
// close it.
func (e *Engine) Client() *client.Client { return e.client }

// cgroupParent is where the engine's containers go unless they ask for another
// parent.
func (e *Engine) cgroupParent() string { return "/ibforge-lab-" + e.id }

// hostIsCgroupV2 says whether /sys/fs/cgroup is the one hierarchy of cgroup
// version 2 (cgroups(7), "systemd.unified_cgroup_hierarchy").
func hostIsCgroupV2() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}
