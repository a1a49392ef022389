package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge"
	"github.com/ibforge/ibforge/builder/overlay/check"
	"github.com/ibforge/ibforge/builder/spec"
)

func newKayobeCheck(g *globals, f *kayobeFlags) *cobra.Command {
	var rendered string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find what gets lost without a word; exit code 1 if there is any",
		Long: `Reads the configuration as Kayobe, Kolla-Ansible and oslo.config read it, and
names what none of them complains about: variables that nobody reads, options
of which another one wins, files and hooks that are not looked at, groups
without hosts, a second subnet manager. All faults are told at once, with their
places and cures. It runs nothing and writes nothing.

What only Ansible knows, values with Jinja in them, is left out. --rendered
looks at the result instead.`,
		Example: "  ibforge kayobe check --environment production\n  ibforge kayobe check --rendered etc/kolla/config",
		Args:    args(),
		RunE:    func(*cobra.Command, []string) error { return g.kayobeCheck(f, rendered) },
	}
	cmd.Flags().StringVar(&rendered, "rendered", "", "look into `DIR` too, which kayobe overcloud service configuration generate has filled: Kolla's node_custom_config, or /etc/kolla of a host")
	return cmd
}

func (g *globals) kayobeCheck(f *kayobeFlags, rendered string) error {
	config, err := g.openKayobe(f)
	if err != nil {
		return err
	}
	defer config.Close()
	source, shipped, err := shippedOverlay()
	if err != nil {
		return err
	}
	o := check.Options{FS: config.FS(), Environment: f.environment, Collection: ibforge.Collection(), Source: source, Version: shipped.Version, Repository: repository(config.path)}
	if rendered != "" {
		info, err := os.Stat(rendered)
		if err != nil {
			return usageError{fmt.Errorf("--rendered: %w", err)}
		}
		if !info.IsDir() {
			return usageError{fmt.Errorf("--rendered: %s is no directory", rendered)}
		}
		o.Rendered = os.DirFS(rendered)
	}
	result, err := check.Run(o)
	if err != nil {
		return usageError{err}
	}
	if err := g.showChecked(result); err != nil {
		return err
	}
	if result.Diags.HasErrors() {
		return errSilent
	}
	return nil
}

// repository is what lies around etc/kayobe, or nil.
func repository(config string) fs.FS {
	if filepath.Base(config) != "kayobe" || filepath.Base(filepath.Dir(config)) != "etc" {
		return nil
	}
	return os.DirFS(filepath.Dir(filepath.Dir(config)))
}

func (g *globals) showChecked(r check.Result) error {
	if g.json {
		raw, err := spec.DiagnosticsJSON(r.Diags)
		if err != nil {
			return err
		}
		return g.printJSON(map[string]any{"valid": !r.Diags.HasErrors(), "diagnostics": json.RawMessage(raw), "notes": append([]string{}, r.Notes...)})
	}
	if err := spec.WriteDiagnostics(g.Stderr, r.Files, r.Diags, g.width(g.Stderr), g.color(g.Stderr)); err != nil {
		return err
	}
	if g.quiet {
		return nil
	}
	for _, note := range r.Notes {
		fmt.Fprintln(g.Stderr, "note: "+note)
	}
	errors := 0
	for _, d := range r.Diags {
		if d.Severity == hcl.DiagError {
			errors++
		}
	}
	_, err := fmt.Fprintf(g.Stdout, "%s, %s\n", count(errors, "fault"), count(len(r.Diags)-errors, "warning"))
	return err
}
