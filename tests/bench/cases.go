package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// dockerfile says what images/opensm says, as one would write it by hand.
const dockerfile = `FROM localhost/bench-base:1
RUN apt-get update && apt-get install -y --no-install-recommends opensm infiniband-diags && rm -rf /var/lib/apt/lists/*
COPY rootfs/ /
RUN systemctl enable opensm-ports.service && systemctl mask opensm.service
ENV container=oci
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
`

func (b *bench) store() string { return filepath.Join(b.dir, "store") }

// ibforge runs bin/ibforge on a copy of the project's descriptions.
func (b *bench) ibforge(ctx context.Context, store string, args ...string) (time.Duration, error) {
	args = append([]string{"bin/ibforge", "-C", b.project(), "--store", store, "-q"}, args...)
	took, state, err := timed(ctx, nil, args...)
	if err != nil {
		return 0, err
	}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		b.peak = max(b.peak, usage.Maxrss*1024) // getrusage(2): kilobytes
	}
	return took, nil
}

func (b *bench) project() string { return filepath.Join(b.dir, "project") }

func (b *bench) baseFromNothing(ctx context.Context) error {
	if err := os.CopyFS(filepath.Join(b.project(), "images"), os.DirFS("images")); err != nil {
		return err
	}
	n, round := min(b.runs, 3), 0
	ours := func(ctx context.Context) (time.Duration, error) {
		round++
		store := fmt.Sprintf("%s-%d", b.store(), round)
		took, err := b.ibforge(ctx, store, "build", "systemd-base")
		if err != nil || round < n {
			return took, err
		}
		return took, os.Rename(store, b.store())
	}
	theirs := func(ctx context.Context) (time.Duration, error) {
		root := filepath.Join(b.dir, "plain")
		took, _, err := timed(ctx, nil, "mmdebstrap", "--variant=essential", "--include=systemd,systemd-sysv,dbus", "bookworm", root, "http://deb.debian.org/debian")
		if err != nil {
			return 0, err
		}
		return took, os.RemoveAll(root)
	}
	return b.compare(ctx, "base from nothing", "mmdebstrap", "<= 1.2", n, false, ours, theirs)
}

// naive gives docker and buildah a base with the same programs, and apt.
func (b *bench) naive(ctx context.Context) error {
	base := filepath.Join(b.dir, "base.tar")
	if _, _, err := timed(ctx, nil, "mmdebstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "bookworm", base, "http://deb.debian.org/debian"); err != nil {
		return err
	}
	if _, _, err := timed(ctx, nil, "docker", "-H", b.engine.Host(), "import", base, "localhost/bench-base:1"); err != nil {
		return err
	}
	archive := filepath.Join(b.dir, "base-image.tar")
	if _, _, err := timed(ctx, nil, "docker", "-H", b.engine.Host(), "save", "-o", archive, "localhost/bench-base:1"); err != nil {
		return err
	}
	if _, _, err := timed(ctx, nil, append(b.buildahCommand(), "pull", "--policy=always", "docker-archive:"+archive)...); err != nil {
		return err
	}
	contextDir := filepath.Join(b.dir, "context")
	if err := os.CopyFS(filepath.Join(contextDir, "rootfs"), os.DirFS("images/opensm/rootfs")); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(contextDir, "Dockerfile"), []byte(dockerfile), 0o600)
}

func (b *bench) buildahCommand() []string {
	return []string{"buildah", "--root", filepath.Join(b.dir, "buildah"), "--runroot", filepath.Join(b.dir, "buildah-run"), "--storage-driver", "overlay"}
}

func (b *bench) buildah(ctx context.Context, flags ...string) (time.Duration, error) {
	argv := append(b.buildahCommand(), "build", "--isolation", "oci", "--runtime", "runc", "--network", "host",
		"--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000", "--pull=never", "-t", "localhost/bench:1")
	took, _, err := timed(ctx, nil, append(append(argv, flags...), filepath.Join(b.dir, "context"))...)
	return took, err
}

func (b *bench) docker(ctx context.Context) (time.Duration, error) {
	took, _, err := timed(ctx, []string{"DOCKER_BUILDKIT=0"}, "docker", "-H", b.engine.Host(), "build", "--network", "host", "-t", "localhost/bench:1", filepath.Join(b.dir, "context"))
	return took, err
}

// opensm makes the description another one for each run, by a path to prune
// that is not there, so that no step of it is known.
func (b *bench) opensm(ctx context.Context) error {
	file := filepath.Join(b.project(), "images/opensm/image.ibforge.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	round := 0
	ours := func(ctx context.Context) (time.Duration, error) {
		round++
		fresh := strings.Replace(string(text), "rootfs = \"rootfs\"", fmt.Sprintf("rootfs = \"rootfs\"\n  prune = { \"/nothing-%d\" = \"makes the key another\" }", round), 1)
		if fresh == string(text) {
			return 0, fmt.Errorf("%s has no line rootfs = \"rootfs\" to put a change beside", file)
		}
		if err := os.WriteFile(file, []byte(fresh), 0o600); err != nil {
			return 0, err
		}
		return b.ibforge(ctx, b.store(), "build", "opensm")
	}
	theirs := func(ctx context.Context) (time.Duration, error) { return b.buildah(ctx, "--no-cache") }
	return b.compare(ctx, "opensm on a ready base", "buildah build", "<= 1.0", b.runs, true, ours, theirs)
}

func (b *bench) unchanged(ctx context.Context) error {
	ours := func(ctx context.Context) (time.Duration, error) { return b.ibforge(ctx, b.store(), "build", "opensm") }
	if err := b.compare(ctx, "nothing changed", "docker build", "<= 0.5", b.runs, true, ours, b.docker); err != nil {
		return err
	}
	layers := func(ctx context.Context) (time.Duration, error) { return b.buildah(ctx, "--layers") }
	return b.compare(ctx, "nothing changed", "buildah build --layers", "-", b.runs, true, ours, layers)
}

func (b *bench) sizes(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "bin/ibforge", "--store", b.store(), "--json", "inspect", "opensm").Output()
	if err != nil {
		return fmt.Errorf("bin/ibforge inspect opensm: %w", err)
	}
	var ours struct{ Size int64 }
	if err := json.Unmarshal(out, &ours); err != nil {
		return fmt.Errorf("reading what bin/ibforge inspect opensm prints: %w", err)
	}
	// The naive image: what apt leaves is left, as is what a base brings.
	naive := "FROM localhost/bench-base:1\nRUN apt-get update && apt-get install -y opensm infiniband-diags\n"
	file := filepath.Join(b.dir, "context/Dockerfile")
	if err := os.WriteFile(file, []byte(naive), 0o600); err != nil {
		return err
	}
	if _, err := b.docker(ctx); err != nil {
		return err
	}
	inspect, err := b.engine.Client().ImageInspect(ctx, "localhost/bench:1")
	if err != nil {
		return fmt.Errorf("asking the engine for the naive image: %w", err)
	}
	b.size("opensm, unpacked", ours.Size, inspect.Size)

	archive := filepath.Join(b.dir, "opensm.tar")
	if _, err := b.ibforge(ctx, b.store(), "push", "opensm", "docker-archive:"+archive); err != nil {
		return err
	}
	a, err := compressed(ctx, "cat", archive)
	if err != nil {
		return err
	}
	z, err := compressed(ctx, "docker", "-H", b.engine.Host(), "save", "localhost/bench:1")
	if err != nil {
		return err
	}
	b.size("opensm, gzip -6", a, z)
	return nil
}

func (b *bench) size(what string, ours, theirs int64) {
	mb := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	b.rows = append(b.rows, row{work: what, ours: mb(ours), theirs: "naive " + mb(theirs), ratio: float64(ours) / float64(theirs), reach: "<= 0.4"})
}

// compressed counts the bytes of a program's output after gzip.
func compressed(ctx context.Context, argv ...string) (int64, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	var n counter
	zip, err := gzip.NewWriterLevel(&n, 6)
	if err != nil {
		return 0, fmt.Errorf("gzip: %w", err)
	}
	cmd.Stdout = zip
	if err := errors.Join(cmd.Run(), zip.Close()); err != nil {
		return 0, fmt.Errorf("%q: %w: %s", argv, err, said.String())
	}
	return int64(n), nil
}

// counter is a writer that keeps only the number of bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
