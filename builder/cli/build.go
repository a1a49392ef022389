package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
	"github.com/ibforge/ibforge/builder/spec"
)

type buildFlags struct {
	noCache    bool
	imagesFile string
}

func newBuild(g *globals) *cobra.Command {
	f := buildFlags{}
	cmd := &cobra.Command{
		Use:   "build [IMAGE…]",
		Short: "Build images",
		Long: `Builds all images, or those named and what they come from. A step whose result
the store has is not done again. Two builds of one store wait for each other.

An image that needs a payload, a file that its vendor hands to licensed users
only, is built when it is named or when the payload is given.

What can be deployed is written to ibforge-images.yml, for Ansible: name,
reference, digest, image ID and Runtime contract of each image.

It runs as root: it makes root file systems with mmdebstrap and runs commands
in working containers with runc.`,
		Example: "  ibforge build\n  ibforge build opensm --var suite=bookworm",
		RunE: func(cmd *cobra.Command, names []string) error {
			p, res, err := g.plan()
			if err != nil {
				return err
			}
			if p, err = only(p, names); err != nil {
				return err
			}
			if p, err = g.withPayloads(p, res, len(names) > 0); err != nil {
				return err
			}
			return g.build(cmd.Context(), p, res, f)
		},
	}
	g.variableFlags(cmd)
	cmd.Flags().BoolVar(&f.noCache, "no-cache", false, "do every step again; packages of a release change while its name does not")
	cmd.Flags().StringVar(&f.imagesFile, "images-file", imagesFileName, "`FILE` to write for Ansible, relative to the project directory")
	cmd.Flags().StringVar(&g.mirror, "mirror", g.env("IBFORGE_MIRROR"), "fetch packages from `URL` in place of http://deb.debian.org; it enters no image; also IBFORGE_MIRROR")
	return cmd
}

// withPayloads refuses images that were asked for and lack a payload. Where all
// are built, those are left out, and said to be: a project describes products
// that not every site has.
func (g *globals) withPayloads(p plan.Plan, res *spec.Result, named bool) (plan.Plan, error) {
	var diags hcl.Diagnostics
	var have, lack []string
	for _, img := range p.Images {
		if len(img.Missing) == 0 {
			have = append(have, img.Name)
			continue
		}
		lack = append(lack, img.Name)
		for _, m := range img.Missing {
			if m.Image == img.Name {
				diags = diags.Append(m.Diagnostic())
			}
		}
	}
	switch {
	case len(lack) == 0:
		return p, nil
	case named || len(have) == 0:
		return p, errors.Join(g.showDiagnostics(res, diags), errSilent)
	}
	fmt.Fprintf(g.Stderr, "left out, for lack of a payload: %s; \"ibforge build %s\" says what is missing\n", strings.Join(lack, ", "), lack[0])
	return p.Only(have...)
}

func (g *globals) build(ctx context.Context, p plan.Plan, res *spec.Result, f buildFlags) (err error) {
	// Better to refuse a file that cannot be updated now than after the build.
	if _, err := readImagesFile(g.path(f.imagesFile)); err != nil {
		return err
	}
	var contracts []*contract.Contract
	for _, img := range p.Images {
		contracts = append(contracts, img.Contract)
	}
	agent, err := g.agent(contracts...)
	if err != nil {
		return err
	}
	store, err := g.openStore()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	unlock, err := store.Lock(ctx, func(pid string) {
		fmt.Fprintf(g.Stderr, "waiting for another build in this store (process %s)\n", pid)
	})
	if err != nil {
		return err
	}
	defer unlock()

	opts := engine.BuildOptions{NoCache: f.noCache, Now: g.Now}
	if g.verbose {
		opts.Log = g.Stderr
	}
	made, err := engine.Build(ctx, store, p, newProgress(g), opts)
	var diags hcl.Diagnostics
	if errors.As(err, &diags) {
		return errors.Join(g.showDiagnostics(res, diags), errSilent)
	}
	if err != nil {
		return err
	}
	if err := updateImagesFile(g.path(f.imagesFile), made, agent); err != nil {
		return err
	}
	if g.json {
		return g.printJSON(map[string]any{"images": made})
	}
	for _, m := range made {
		if _, err := fmt.Fprintf(g.Stdout, "%s\t%s\t%s\n", m.Name, m.Reference, m.ID); err != nil {
			return err
		}
	}
	return nil
}
