package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/engine"
)

func newInspect(g *globals) *cobra.Command {
	var contractOnly bool
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show an image's layers, sizes, steps, labels and contract",
		Long: `Shows an image of the store. IMAGE is a name such as opensm, which stands for
the newest of that name, a reference or an image ID.`,
		Example: "  ibforge inspect opensm\n  ibforge inspect --contract opensm",
		Args:    args("IMAGE"),
		RunE: func(cmd *cobra.Command, names []string) (err error) {
			store, err := g.openStore()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			img, err := store.Inspect(cmd.Context(), names[0])
			switch {
			case err != nil:
				return err
			case contractOnly && img.Contract == nil:
				return fmt.Errorf("image %q has no Runtime contract: its description has no runtime block", img.Name)
			case contractOnly:
				return g.printJSON(img.Contract)
			case g.json:
				return g.printJSON(img)
			}
			return g.printImage(img)
		},
	}
	cmd.Flags().BoolVar(&contractOnly, "contract", false, "print the Runtime contract only, as JSON")
	return cmd
}

func (g *globals) printImage(img engine.Image) error {
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Reference\t%s\nID\t%s\nDigest\t%s\nCreated\t%s\nSize\t%s\n",
		img.Reference, img.ID, img.Digest, img.Created.UTC().Format("2006-01-02 15:04:05"), units.HumanSize(float64(img.Size)))
	fmt.Fprintf(w, "\nLAYER\tSIZE\tSTEP\n")
	for _, l := range img.Layers {
		id, size := "-", "-"
		if l.DiffID != "" {
			id, size = l.DiffID[:19], units.HumanSize(float64(l.Size))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", id, size, l.Step)
	}
	fmt.Fprintf(w, "\nLABEL\tVALUE\n")
	for _, k := range slices.Sorted(maps.Keys(img.Labels)) {
		v := img.Labels[k]
		if k == contract.Label {
			v = "(see below)"
		}
		fmt.Fprintf(w, "%s\t%s\n", k, v)
	}
	if err := w.Flush(); err != nil || img.Contract == nil {
		return err
	}
	fmt.Fprintln(g.Stdout, "\nRuntime contract")
	return g.printJSON(img.Contract)
}
