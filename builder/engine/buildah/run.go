package buildah

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/containers/buildah"
	"github.com/containers/buildah/define"
	"github.com/opencontainers/runtime-spec/specs-go"
	nettypes "go.podman.io/common/libnetwork/types"

	"github.com/ibforge/ibforge/builder/plan"
)

// runtimeBinary is the OCI runtime. crun of Debian 12 refuses the version of
// the runtime spec that buildah writes.
const runtimeBinary = "runc"

// inside runs argv in the working container. Nothing is shared with the host
// but what binds lists; without network there is only a loopback interface.
func (w *working) inside(argv []string, network bool, env []string, binds []specs.Mount) error {
	runtime, err := exec.LookPath(runtimeBinary)
	if err != nil {
		return fmt.Errorf("%s, which runs commands in working containers, is not installed: apt-get install runc", runtimeBinary)
	}
	opts := buildah.RunOptions{
		Isolation:        define.IsolationOCI,
		Runtime:          runtime,
		Terminal:         buildah.WithoutTerminal,
		Stdout:           w.log,
		Stderr:           w.log,
		Quiet:            true,
		Env:              append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", w.opts.Epoch)}, env...),
		Mounts:           binds,
		CgroupManager:    "cgroupfs",
		ConfigureNetwork: define.NetworkDisabled,
		// The host's name must not get into an image.
		Hostname:      "ibforge",
		SystemContext: w.sys,
	}
	if network {
		opts.ConfigureNetwork = define.NetworkEnabled
		opts.NamespaceOptions = define.NamespaceOptions{{Name: string(specs.NetworkNamespace), Host: true}}
	}
	if err := w.builder.Run(argv, opts); err != nil {
		return fmt.Errorf("buildah: %w", err)
	}
	return nil
}

func (w *working) runStep(ctx context.Context, op plan.Run) (err error) {
	binds, release, err := w.mountPayloads(ctx, op.Payloads)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	env := make([]string, 0, len(op.Env))
	for _, k := range slices.Sorted(maps.Keys(op.Env)) {
		env = append(env, k+"="+op.Env[k])
	}
	if err := w.inside(op.Command, op.Network == "host", env, binds); err != nil {
		return fmt.Errorf("%q in the working container: %w", op.Command, err)
	}
	return w.clean(op.Prune)
}

// outside runs a program of the build host. It and its children are told to
// stop when ctx is done, and killed ten seconds later.
func outside(ctx context.Context, env []string, log io.Writer, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	return nil
}

// noNetwork stands where buildah would look for netavark, which bridges
// container networks. Working containers have the host's network or none, so
// no method of it is ever called.
type noNetwork struct{ nettypes.ContainerNetwork }
