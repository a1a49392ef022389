package buildah

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/containers/buildah"
	"github.com/containers/buildah/define"
	is "go.podman.io/image/v5/storage"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

// internal is the repository of names that are not seen outside the store.
const internal = "localhost/ibforge-internal"

// Three kinds of names share the store: of steps, of what was built last under
// a bare name (an image's date is the epoch, and would not tell), and the
// references that builds give.
func stepName(key string) string     { return internal + "/step:" + key }
func currentName(name string) string { return internal + "/current:" + name }
func isBuilt(name string) bool       { return strings.HasPrefix(name, plan.Repository+"/") }

// Has implements engine.Engine.
func (s *Store) Has(_ context.Context, key string) (bool, error) {
	_, err := s.store.Image(stepName(key))
	if errors.Is(err, storage.ErrImageUnknown) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking up the step with the key %s: %w", key, err)
	}
	return true, nil
}

// Apply implements engine.Engine.
func (s *Store) Apply(ctx context.Context, step plan.Step, log io.Writer) (err error) {
	defer func() { err = noSpace(err, s.opts.Dir) }()
	w, err := s.working(ctx, step, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.remove()) }()
	if err := w.do(ctx, step.Op); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.commit(ctx, step)
}

// working is a working container on its way from one step to the next.
type working struct {
	*Store
	builder *buildah.Builder
	// root is where the container's root file system is mounted.
	root string
	log  io.Writer
}

func (s *Store) working(ctx context.Context, step plan.Step, log io.Writer) (*working, error) {
	from, err := s.parent(ctx, step)
	if err != nil {
		return nil, err
	}
	ulimits, err := ulimits()
	if err != nil {
		return nil, err
	}
	b, err := buildah.NewBuilder(ctx, s.store, buildah.BuilderOptions{
		FromImage:           from,
		Container:           "ibforge-" + step.Key[:12],
		PullPolicy:          define.PullNever,
		Isolation:           define.IsolationOCI,
		Format:              define.Dockerv2ImageManifest,
		Capabilities:        runCapabilities(),
		CommonBuildOpts:     &define.CommonBuildOptions{Ulimit: ulimits},
		SystemContext:       s.sys,
		SignaturePolicyPath: s.sys.SignaturePolicyPath,
		BlobDirectory:       s.blobs(),
		NetworkInterface:    noNetwork{},
	})
	if err != nil {
		return nil, fmt.Errorf("making a working container from %s: %w", from, err)
	}
	w := &working{Store: s, builder: b, log: log}
	if w.root, err = b.Mount(""); err != nil {
		return nil, errors.Join(fmt.Errorf("mounting the working container: %w", err), w.remove())
	}
	return w, nil
}

// parent names the image that a step starts from.
func (s *Store) parent(ctx context.Context, step plan.Step) (string, error) {
	if op, ok := step.Op.(plan.Import); ok {
		return s.pull(ctx, op)
	}
	if step.ParentKey == "" {
		return "scratch", nil
	}
	img, err := s.store.Image(stepName(step.ParentKey))
	if err != nil {
		return "", fmt.Errorf("the result of the step before is gone from the store (key %s): %w; build again", step.ParentKey, err)
	}
	return img.ID, nil
}

func (w *working) do(ctx context.Context, op plan.Op) error {
	switch op := op.(type) {
	case plan.Import:
		return nil // parent has pulled it; the step makes no change of its own
	case plan.Bootstrap:
		return w.bootstrap(ctx, op)
	case plan.Packages:
		return w.packages(ctx, op)
	case plan.Rootfs:
		return w.rootfs(op)
	case plan.Units:
		return w.units(ctx, op)
	case plan.Run:
		return w.runStep(ctx, op)
	case plan.Ports:
		return w.ports(op)
	case plan.Config:
		w.config(op)
		return nil
	default:
		return fmt.Errorf("this ibforge does not know the step %T", op)
	}
}

// commit keeps the working container as the image of the step's key.
func (w *working) commit(ctx context.Context, step plan.Step) error {
	ref, err := is.Transport.ParseStoreReference(w.store, stepName(step.Key))
	if err != nil {
		return fmt.Errorf("naming the step: %w", err)
	}
	epoch := time.Unix(w.opts.Epoch, 0).UTC()
	_, noLayer := step.Op.(plan.Config)
	w.builder.SetCreatedBy("ibforge " + step.Summary)
	w.builder.SetHistoryComment("io.ibforge.key=" + step.Key)
	w.builder.SetMaintainer("")
	_, _, _, err = w.builder.Commit(ctx, ref, buildah.CommitOptions{
		PreferredManifestType: define.Dockerv2ImageManifest,
		SignaturePolicyPath:   w.sys.SignaturePolicyPath,
		SystemContext:         w.sys,
		BlobDirectory:         w.blobs(),
		EmptyLayer:            noLayer,
		// Both are needed: the first dates the configuration, the second clamps
		// the files' times (buildah-build(1), --source-date-epoch).
		SourceDateEpoch:  &epoch,
		RewriteTimestamp: true,
	})
	if err != nil {
		return fmt.Errorf("committing the step: %w", err)
	}
	return nil
}

func (w *working) remove() error {
	if err := w.builder.Delete(); err != nil {
		return fmt.Errorf("removing the working container: %w", err)
	}
	return nil
}

// Tag implements engine.Engine.
func (s *Store) Tag(ctx context.Context, key, reference string) (engine.Image, error) {
	img, err := s.store.Image(stepName(key))
	if err != nil {
		return engine.Image{}, fmt.Errorf("the image's last step is gone from the store (key %s): %w", key, err)
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(reference, plan.Repository+"/"), ":")
	if err := s.store.AddNames(img.ID, []string{reference, currentName(name)}); err != nil {
		return engine.Image{}, fmt.Errorf("naming the image %s: %w", reference, err)
	}
	return s.Inspect(ctx, reference)
}

// ulimits keeps a working container within what this process may set: buildah
// would raise both to 1048576, which fails without CAP_SYS_RESOURCE
// (https://github.com/containers/buildah/issues/2230).
func ulimits() ([]string, error) {
	var out []string
	for name, resource := range map[string]int{"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC} {
		var r unix.Rlimit
		if err := unix.Getrlimit(resource, &r); err != nil {
			return nil, fmt.Errorf("reading the limit %s: %w", name, err)
		}
		// Package managers walk all possible descriptors; a huge limit makes
		// them crawl (https://github.com/docker/buildx/issues/379).
		limit := min(r.Max, 20000)
		out = append(out, fmt.Sprintf("%s=%d:%d", name, limit, limit))
	}
	return out, nil
}

// runCapabilities are those of a container engine's default set that
// maintainer scripts need. NET_RAW, NET_BIND_SERVICE, MKNOD, SYS_CHROOT and
// AUDIT_WRITE of Docker's default set are left out: nothing serves, sniffs or
// makes devices while an image is built.
func runCapabilities() []string {
	return []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
	}
}

func (s *Store) blobs() string { return filepath.Join(s.opts.Dir, "blobs") }
