package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/plan"
)

func newPlan(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan [IMAGE…]",
		Short: "Show what a build would do, and what is cached",
		Long: `Shows the steps that build the images (all, or those named and what they come
from), each with the beginning of its key and whether the store has its result.
It reads the store and writes nothing.

With --json: {"images": [{"name", "reference", "steps": [{"kind", "key",
"parent_key", "summary", "cached", "options"}], "contract"}]}; see docs/plan.md.`,
		Example: "  ibforge plan\n  ibforge plan opensm --json",
		RunE: func(cmd *cobra.Command, names []string) error {
			p, _, err := g.plan()
			if err != nil {
				return err
			}
			if p, err = only(p, names); err != nil {
				return err
			}
			cached, err := g.cached(cmd.Context(), p)
			if err != nil {
				return err
			}
			if g.json {
				return g.printJSON(planJSON(p, cached))
			}
			return g.printPlan(p, cached)
		},
	}
	g.variableFlags(cmd)
	return cmd
}

// only makes an unknown name a usage error.
func only(p plan.Plan, names []string) (plan.Plan, error) {
	out, err := p.Only(names...)
	var unknown *plan.UnknownImageError
	if errors.As(err, &unknown) {
		return out, usageError{err}
	}
	return out, err
}

// cached asks the store for every key. A store that was never made has none,
// and is not made by asking.
func (g *globals) cached(ctx context.Context, p plan.Plan) (map[string]bool, error) {
	out := map[string]bool{}
	dir, err := g.storeDir()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "storage")); errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	store, err := g.openStore()
	if err != nil {
		return nil, err
	}
	for _, img := range p.Images {
		for _, s := range img.Steps {
			if out[s.Key], err = store.Has(ctx, s.Key); err != nil {
				return nil, errors.Join(err, store.Close())
			}
		}
	}
	return out, store.Close()
}

// planStep is a step with what the store says of it.
type planStep struct {
	plan.Step
	Cached bool `json:"cached"`
}

// planImage is plan.Image with planSteps.
type planImage struct {
	plan.Image
	Steps []planStep `json:"steps"`
}

func planJSON(p plan.Plan, cached map[string]bool) any {
	images := []planImage{}
	for _, img := range p.Images {
		pi := planImage{Image: img}
		for _, s := range img.Steps {
			pi.Steps = append(pi.Steps, planStep{s, cached[s.Key]})
		}
		images = append(images, pi)
	}
	return map[string]any{"images": images}
}

func (g *globals) printPlan(p plan.Plan, cached map[string]bool) error {
	todo := 0
	for i, img := range p.Images {
		if i > 0 {
			fmt.Fprintln(g.Stdout)
		}
		fmt.Fprintf(g.Stdout, "%s\n", img.Reference)
		w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
		for _, s := range img.Steps {
			state := "cached"
			if !cached[s.Key] {
				state = "to do"
				todo++
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", s.Key[:12], state, s.Summary)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(g.Stdout, "\n%s to do\n", count(todo, "step"))
	return err
}
