package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/engine"
)

func newPush(g *globals) *cobra.Command {
	opts := engine.PushOptions{}
	file := imagesFileName
	cmd := &cobra.Command{
		Use:   "push IMAGE DEST",
		Short: "Copy an image to a registry, an engine or a file",
		Long: `Copies an image of the store. DEST is in the form of containers-transports(5):

  docker://REGISTRY/NAME:TAG    a registry
  docker-daemon:NAME:TAG        the Docker engine at DOCKER_HOST
  docker-archive:FILE           a file for docker load and podman load
  oci:DIRECTORY[:TAG]           an OCI layout
  oci-archive:FILE[:TAG]        an OCI layout as a tar file
  containers-storage:NAME:TAG   podman's and buildah's store on this machine

It prints the digest that DEST's manifest has. A registry reference by digest,
or the path of a docker-archive, is added to ibforge-images.yml, from where the
roles take it.`,
		Example: "  ibforge push opensm docker://registry.example:5000/ibforge/opensm:1.0\n  ibforge push opensm docker-archive:/srv/images/opensm.tar",
		Args:    args("IMAGE", "DEST"),
		RunE: func(cmd *cobra.Command, a []string) error {
			return g.push(cmd.Context(), a[0], a[1], g.path(file), opts)
		},
	}
	cmd.Flags().StringVar(&opts.Authfile, "authfile", g.env("REGISTRY_AUTH_FILE"), "`FILE` with registry credentials, containers-auth.json(5)")
	cmd.Flags().BoolVar(&opts.PlainHTTP, "plain-http", false, "allow a registry without TLS; for one on this machine only")
	cmd.Flags().StringVar(&file, "images-file", imagesFileName, "`FILE` to note the copy in, relative to the project directory")
	return cmd
}

func (g *globals) push(ctx context.Context, name, dest, file string, opts engine.PushOptions) (err error) {
	store, err := g.openStore()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	img, err := store.Inspect(ctx, name)
	if err != nil {
		return err
	}
	if g.verbose {
		opts.Progress = g.Stderr
	}
	agent, err := g.agent(img.Contract)
	if err != nil {
		return err
	}
	digest, err := store.Push(ctx, img.Reference, dest, opts)
	if err != nil {
		return fmt.Errorf("pushing %s to %s: %w", img.Name, dest, err)
	}
	if err := notePush(file, img, dest, digest, agent); err != nil {
		return err
	}
	if g.json {
		return g.printJSON(map[string]string{"image": img.Name, "id": img.ID, "destination": dest, "digest": digest})
	}
	_, err = fmt.Fprintln(g.Stdout, digest)
	return err
}

// notePush keeps in the images file where the roles find a copy of an image.
func notePush(name string, img engine.Image, dest, digest string, agent *companionEntry) error {
	transport, location, _ := strings.Cut(dest, ":")
	if img.Contract == nil || transport != "docker" && transport != "docker-archive" {
		return nil
	}
	if err := updateImagesFile(name, []engine.Image{img}, agent); err != nil {
		return err
	}
	file, err := readImagesFile(name)
	if err != nil {
		return err
	}
	entry := file.Images[img.Name]
	if transport == "docker" {
		entry.Pushed = withoutTag(strings.TrimPrefix(location, "//")) + "@" + digest
	} else {
		path, _, _ := strings.Cut(location, ":")
		if entry.Archive, err = filepath.Abs(path); err != nil {
			return fmt.Errorf("finding the archive: %w; give it as an absolute path", err)
		}
	}
	file.Images[img.Name] = entry
	return writeImagesFile(name, file)
}

// withoutTag cuts ":1.0" and "@sha256:…" off, and leaves a registry's port
// where it is.
func withoutTag(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	slash := strings.LastIndex(reference, "/")
	if colon := strings.LastIndex(reference, ":"); colon > slash {
		return reference[:colon]
	}
	return reference
}
