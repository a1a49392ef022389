package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/verify"
)

func newVerify(g *globals) *cobra.Command {
	var volumes []string
	opts := verify.Options{}
	cmd := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Boot an image in a container engine and hold it against its contract",
		Long: `Loads the image into a Docker engine, boots it with what its Runtime contract
says and nothing more, and checks that it keeps the contract: systemd comes up
with no failed unit, no privilege beyond the contract's, all enabled units are
active, the health check passes, nothing is written outside the volumes,
nothing of the build is left over, and the stop signal ends it with status 0.

Whatever is added with --volume is named in the report.`,
		Example: "  ibforge verify opensm\n  ibforge verify opensm --host unix:///run/docker.sock --volume $PWD/opensm:/etc/opensm:ro",
		Args:    args("IMAGE"),
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, v := range volumes {
				o, err := verify.ParseVolumeOverride(v)
				if err != nil {
					return usageError{fmt.Errorf("--%w", err)} // the text begins with: volume "…"
				}
				opts.Volumes = append(opts.Volumes, o)
			}
			if m, err := url.Parse(g.env("IBFORGE_MIRROR")); err == nil && m.Host != "" {
				opts.HostMirrors = []string{m.Host}
			}
			return g.verify(cmd.Context(), names[0], opts)
		},
	}
	cmd.Flags().StringVar(&opts.Host, "host", "", "`ENDPOINT` of the engine, such as unix:///run/docker.sock (default DOCKER_HOST or docker's own)")
	cmd.Flags().StringArrayVar(&volumes, "volume", nil, "mount `HOST:CONTAINER[:ro]` beside the contract, or in place of its volume at that path; repeatable")
	cmd.Flags().DurationVar(&opts.BootTimeout, "boot-timeout", 0, "`TIME` that systemd may take, such as 90s (default 1m)")
	cmd.Flags().BoolVar(&opts.Keep, "keep", false, "leave the container for a look")
	return cmd
}

// archive is a stored image as verify.Source.
type archive struct {
	store engine.Store
	name  string
}

func (a archive) DockerArchive(ctx context.Context, w io.Writer) error {
	return a.store.DockerArchive(ctx, a.name, w)
}

func (g *globals) verify(ctx context.Context, name string, opts verify.Options) (err error) {
	store, err := g.openStore()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	img, err := store.Inspect(ctx, name)
	if err != nil {
		return err
	}
	if img.Contract == nil {
		return fmt.Errorf("image %q has no Runtime contract: its description has no runtime block, so it is only built upon and there is nothing to verify", img.Name)
	}
	if !g.quiet {
		fmt.Fprintf(g.Stderr, "booting %s (%s)\n", img.Reference, strings.TrimPrefix(img.ID, "sha256:")[:12])
	}
	report, err := verify.Run(ctx, verify.Image{
		Name: img.Name, Reference: img.Reference, ID: img.ID, Contract: *img.Contract,
	}, archive{store, img.Reference}, opts)
	if err != nil {
		return err
	}
	if g.json {
		err = g.printJSON(report)
	} else {
		err = report.WriteText(g.Stdout, g.color(g.Stdout))
	}
	if err == nil && !report.OK() {
		err = errSilent
	}
	return err
}
