package buildah

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	is "go.podman.io/image/v5/storage"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

// Inspect implements engine.Store. A bare name stands for the image of that
// name that was built last.
func (s *Store) Inspect(ctx context.Context, name string) (engine.Image, error) {
	img, reference, err := s.find(name)
	if err != nil {
		return engine.Image{}, err
	}
	ref, err := is.Transport.ParseStoreReference(s.store, "@"+img.ID)
	if err != nil {
		return engine.Image{}, fmt.Errorf("reading image %s: %w", reference, err)
	}
	closer, err := ref.NewImage(ctx, s.sys)
	if err != nil {
		return engine.Image{}, fmt.Errorf("reading image %s: %w", reference, err)
	}
	defer closer.Close()
	config, err := closer.OCIConfig(ctx)
	if err != nil {
		return engine.Image{}, fmt.Errorf("reading the configuration of image %s: %w", reference, err)
	}
	short, _, _ := strings.Cut(strings.TrimPrefix(reference, plan.Repository+"/"), ":")
	out := engine.Image{
		Name: short, Reference: reference, ID: closer.ConfigInfo().Digest.String(), Digest: img.Digest.String(),
		Arch: config.Architecture, Labels: config.Config.Labels,
	}
	if config.Created != nil {
		out.Created = *config.Created
	}
	if out.Layers, err = s.layers(img); err != nil {
		return engine.Image{}, fmt.Errorf("reading the layers of image %s: %w", reference, err)
	}
	next := 0
	var layers []engine.Layer
	for _, h := range config.History {
		l := engine.Layer{}
		if !h.EmptyLayer && next < len(out.Layers) {
			l = out.Layers[next]
			next++
		}
		l.Step = strings.TrimPrefix(h.CreatedBy, "ibforge ")
		l.Key, _ = strings.CutPrefix(h.Comment, "io.ibforge.key=")
		out.Size += l.Size
		layers = append(layers, l)
	}
	out.Layers = layers
	if raw, ok := out.Labels[contract.Label]; ok {
		c, err := contract.Parse([]byte(raw))
		if err != nil {
			return engine.Image{}, fmt.Errorf("image %s: label %s: %w", reference, contract.Label, err)
		}
		out.Contract = &c
	}
	return out, nil
}

// layers lists an image's layers, the lowest first.
func (s *Store) layers(img *storage.Image) ([]engine.Layer, error) {
	var out []engine.Layer
	for id := img.TopLayer; id != ""; {
		l, err := s.store.Layer(id)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", id, err)
		}
		out = append(out, engine.Layer{DiffID: l.UncompressedDigest.String(), Size: l.UncompressedSize})
		id = l.Parent
	}
	slices.Reverse(out)
	return out, nil
}

// find looks an image up by reference, ID or bare name, and gives the
// reference that its build gave it.
func (s *Store) find(name string) (*storage.Image, string, error) {
	lookup := strings.TrimPrefix(name, "sha256:")
	if !strings.ContainsAny(name, "/:") {
		lookup = currentName(name)
	}
	img, err := s.store.Image(lookup)
	if errors.Is(err, storage.ErrImageUnknown) {
		known, err := s.names()
		if err != nil {
			return nil, "", err
		}
		return nil, "", &engine.NotFoundError{Name: name, Known: known}
	}
	if err != nil {
		return nil, "", fmt.Errorf("looking up image %q: %w", name, err)
	}
	for _, n := range img.Names {
		if isBuilt(n) && (n == name || name != n && !slices.Contains(img.Names, name)) {
			return img, n, nil
		}
	}
	return nil, "", fmt.Errorf("image %q of the store is an intermediate step; name an image that a build has finished", name)
}

// names lists what can be asked for by a bare name.
func (s *Store) names() ([]string, error) {
	images, err := s.store.Images()
	if err != nil {
		return nil, fmt.Errorf("listing the store's images: %w", err)
	}
	var out []string
	for _, img := range images {
		for _, n := range img.Names {
			if name, ok := strings.CutPrefix(n, currentName("")); ok {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// source gives the image as something to copy from.
func (s *Store) source(name string) (types.ImageReference, string, error) {
	img, reference, err := s.find(name)
	if err != nil {
		return nil, "", err
	}
	ref, err := is.Transport.ParseStoreReference(s.store, "@"+img.ID)
	if err != nil {
		return nil, "", fmt.Errorf("reading image %s: %w", reference, err)
	}
	return ref, reference, nil
}
