package cli

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/spec"
)

func newValidate(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [FILE…]",
		Short: "Report all faults of the descriptions",
		Long: `Reads images/*/image.ibforge.hcl and configs/*.ibforge.hcl of the project, or
only the files given, and reports every fault with its place, cause and cure.
It builds nothing and needs neither root nor a network.

Files are named relative to the project directory (-C).`,
		Example: "  ibforge validate\n  ibforge validate images/opensm/image.ibforge.hcl images/systemd-base/image.ibforge.hcl",
		RunE: func(_ *cobra.Command, files []string) error {
			res, diags, err := g.load(files...)
			if err != nil {
				return err
			}
			if g.json {
				err = g.printDiagnosticsJSON(diags)
			} else if len(diags) > 0 {
				err = g.showDiagnostics(res, diags)
			}
			if err != nil {
				return err
			}
			if diags.HasErrors() {
				return errSilent
			}
			if !g.json && !g.quiet {
				_, err = fmt.Fprintln(g.Stdout, count(len(res.Project.Images), "valid image"))
			}
			return err
		},
	}
	g.variableFlags(cmd)
	return cmd
}

// count says "1 step" and "2 steps".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (g *globals) printDiagnosticsJSON(diags hcl.Diagnostics) error {
	raw, err := spec.DiagnosticsJSON(diags)
	if err != nil {
		return err
	}
	return g.printJSON(map[string]any{"valid": !diags.HasErrors(), "diagnostics": json.RawMessage(raw)})
}
