package buildah

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker/archive"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/signature"
	is "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/transports/alltransports"
	"go.podman.io/image/v5/types"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

// Push implements engine.Store.
func (s *Store) Push(ctx context.Context, name, dest string, opts engine.PushOptions) (string, error) {
	src, ref, err := s.source(name)
	if err != nil {
		return "", err
	}
	target, err := alltransports.ParseImageName(dest)
	if err != nil {
		return "", fmt.Errorf("destination %q: %w; it takes the form TRANSPORT:DETAILS, such as docker://registry.example:5000/ibforge/opensm:1.0 or docker-archive:opensm.tar", dest, err)
	}
	dockerHost, _ := s.opts.LookupEnv("DOCKER_HOST")
	sys := *s.sys
	sys.AuthFilePath = opts.Authfile
	sys.DockerDaemonHost = dockerHost
	if opts.PlainHTTP {
		sys.DockerInsecureSkipTLSVerify = types.OptionalBoolTrue
	}
	if strings.HasPrefix(dest, "docker-archive:") && target.DockerReference() == nil {
		tagged, err := taggedReference(ref)
		if err != nil {
			return "", err
		}
		sys.DockerArchiveAdditionalTags = []reference.NamedTagged{tagged}
	}
	return s.copy(ctx, target, src, &sys, opts.Progress)
}

func (s *Store) copy(ctx context.Context, target, src types.ImageReference, sys *types.SystemContext, progress io.Writer) (string, error) {
	policy, err := signature.DefaultPolicy(s.sys)
	if err != nil {
		return "", fmt.Errorf("reading the store's %s: %w", s.sys.SignaturePolicyPath, err)
	}
	pc, err := signature.NewPolicyContext(policy)
	if err != nil {
		return "", fmt.Errorf("the policy of the store's %s: %w", s.sys.SignaturePolicyPath, err)
	}
	raw, err := copy.Image(ctx, pc, target, src, &copy.Options{ReportWriter: progress, SourceCtx: s.sys, DestinationCtx: sys})
	err = errors.Join(err, pc.Destroy())
	if err != nil {
		return "", noSpace(err, s.opts.Dir)
	}
	return digestOf(raw)
}

func digestOf(raw []byte) (string, error) {
	d, err := manifest.Digest(raw)
	if err != nil {
		return "", fmt.Errorf("making the digest of the image's manifest: %w", err)
	}
	return d.String(), nil
}

// DockerArchive implements engine.Store.
func (s *Store) DockerArchive(ctx context.Context, name string, w io.Writer) error {
	src, ref, err := s.source(name)
	if err != nil {
		return err
	}
	tagged, err := taggedReference(ref)
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	// The transport writes to a path; a pipe's descriptor is one, and spares a
	// second copy of the image on disk.
	target, err := archive.NewReference(fmt.Sprintf("/dev/fd/%d", write.Fd()), tagged)
	if err != nil {
		return errors.Join(fmt.Errorf("naming the archive's image %s: %w", tagged, err), write.Close())
	}
	copied := make(chan error, 1)
	go func() {
		_, err := s.copy(ctx, target, src, s.sys, nil)
		copied <- errors.Join(err, write.Close())
	}()
	_, err = io.Copy(w, read)
	_ = read.Close() // lets the copying end when w fails; nothing was written here
	return errors.Join(err, <-copied)
}

func taggedReference(name string) (reference.NamedTagged, error) {
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, fmt.Errorf("image name %q: %w", name, err)
	}
	tagged, ok := named.(reference.NamedTagged)
	if !ok {
		return nil, fmt.Errorf("image name %q has no tag", name)
	}
	return tagged, nil
}

// pull brings the image of an import step into the store and holds its
// manifest against the pinned digest.
func (s *Store) pull(ctx context.Context, op plan.Import) (string, error) {
	name := op.Reference
	if strings.HasPrefix(name, "docker:") {
		name += "@" + op.Digest
	}
	src, err := alltransports.ParseImageName(name)
	if err != nil {
		return "", fmt.Errorf("from = %q: %w", op.Reference, err)
	}
	source, err := src.NewImageSource(ctx, s.sys)
	if err != nil {
		return "", fmt.Errorf("from = %q: %w", op.Reference, err)
	}
	raw, _, err := source.GetManifest(ctx, nil)
	err = errors.Join(err, source.Close())
	if err != nil {
		return "", fmt.Errorf("from = %q: %w", op.Reference, err)
	}
	got, err := digestOf(raw)
	if err != nil {
		return "", fmt.Errorf("from = %q: %w", op.Reference, err)
	}
	if got != op.Digest {
		return "", fmt.Errorf("from = %q: the image's manifest has the digest %s, the description pins %s; take the one that you trust into the description", op.Reference, got, op.Digest)
	}
	_, hash, _ := strings.Cut(got, ":") // a tag has no room for the algorithm
	local := internal + "/import:" + hash
	target, err := is.Transport.ParseStoreReference(s.store, local)
	if err != nil {
		return "", fmt.Errorf("from = %q: naming it %s in the store: %w", op.Reference, local, err)
	}
	if _, err := s.copy(ctx, target, src, s.sys, nil); err != nil {
		return "", fmt.Errorf("from = %q: %w", op.Reference, err)
	}
	return local, nil
}
