package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/overlay"
)

// kayobeDo are the flags of the verbs that write.
type kayobeDo struct {
	features, without  []string
	collection, dryRun bool
}

func newKayobeInstall(g *globals, f *kayobeFlags) *cobra.Command {
	var o kayobeDo
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Copy the files into the configuration, or update them",
		Long: `Copies the files into the configuration, or updates those that are there. What
is there is compared with what was shipped before and what is shipped now:

  not edited        updated
  edited            kept; if this release changed other lines, both are merged
  edited in lines   kept; what this release has lies in .ibforge/new. Merge it by
  that changed      hand, delete it there, and run install again. The exit code
                    is 1 as long as there is such a file
  deleted           stays deleted
  was there before  kept if it differs, in the same way as a conflict

Features are remembered: the next install needs no --feature.`,
		Example: "  ibforge kayobe install --dry-run\n  ibforge kayobe install --feature sdn --feature ufm --environment production",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			return g.kayobeChange(f, o, overlay.Install)
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and write nothing")
	return cmd
}

func newKayobeDiff(g *globals, f *kayobeFlags) *cobra.Command {
	o := kayobeDo{dryRun: true}
	cmd := &cobra.Command{
		Use:     "diff",
		Short:   "Print what install would do; exit code 1 if that is anything",
		Example: "  ibforge kayobe diff | git apply --directory=etc/kayobe --check",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			return g.kayobeChange(f, o, func(d overlay.Disk, options overlay.Options) (*overlay.Plan, error) {
				p, err := overlay.Install(d, options)
				if err != nil {
					return p, err
				}
				if pending, err := p.Pending(d); err != nil || !pending {
					return p, err
				}
				return p, errPending
			})
		},
	}
	o.flags(cmd)
	return cmd
}

func newKayobeRemove(g *globals, f *kayobeFlags) *cobra.Command {
	var o kayobeDo
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Take out what was not edited",
		Long: `Takes out the files, links and empty directories that install has made, and the
entry in ansible/requirements.yml. Files that were edited stay, and are named.
What environments share stays as long as one of them has files of ibforge.`,
		Example: "  ibforge kayobe remove --dry-run",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			return g.kayobeChange(f, o, overlay.Uninstall)
		},
	}
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and write nothing")
	return cmd
}

func (o *kayobeDo) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.features, "feature", nil, "have this optional `FEATURE` too; repeatable")
	f.StringSliceVar(&o.without, "without-feature", nil, "do without this `FEATURE` from now on; repeatable")
	f.BoolVar(&o.collection, "collection", false, "write the Ansible collection too, so that ansible-galaxy need not fetch it; remembered")
}

// errPending is what diff ends with where there is something to do.
var errPending = errors.New("there is something to do")

// kayobeChange makes a plan, shows it, and carries it out.
func (g *globals) kayobeChange(f *kayobeFlags, o kayobeDo, plan func(overlay.Disk, overlay.Options) (*overlay.Plan, error)) error {
	config, err := g.openKayobe(f)
	if err != nil {
		return err
	}
	defer config.Close()
	options := overlay.Options{Environment: f.environment, Features: o.features, Without: o.without, Collection: o.collection, Writable: config.writable}
	if o.dryRun {
		options.Writable = nil
	} else {
		unlock, err := g.alone(config)
		if err != nil {
			return err
		}
		defer unlock()
	}
	if options.Source, options.Shipped, err = shippedOverlay(); err != nil {
		return err
	}
	p, err := plan(config, options)
	pending := errors.Is(err, errPending)
	if err != nil && !pending {
		var usage *overlay.UsageError
		if errors.As(err, &usage) {
			return usageError{err}
		}
		return err
	}
	if !o.dryRun {
		if err := p.Apply(config); err != nil {
			return err
		}
	}
	if err := g.showKayobe(config, f, p, !o.dryRun); err != nil {
		return err
	}
	if pending || len(p.Conflicts()) > 0 {
		return errSilent
	}
	return nil
}

// kayobeJSON is the result for programs.
type kayobeJSON struct {
	ConfigPath  string             `json:"config_path"`
	Environment string             `json:"environment,omitempty"`
	Features    []string           `json:"features"`
	Written     bool               `json:"written"`
	Changes     []kayobeChangeJSON `json:"changes"`
	Notes       []string           `json:"notes,omitempty"`
	Summary     string             `json:"summary"`
}

type kayobeChangeJSON struct {
	// Path is relative to the configuration.
	Path   string         `json:"path"`
	Action overlay.Action `json:"action"`
	Diff   string         `json:"diff,omitempty"`
	Why    string         `json:"why,omitempty"`
	// New is where the text lies that is to be merged by hand.
	New string `json:"new,omitempty"`
}

func (g *globals) showKayobe(config configuration, f *kayobeFlags, p *overlay.Plan, written bool) error {
	if g.json {
		out := kayobeJSON{ConfigPath: config.path, Environment: f.environment, Features: append([]string{}, p.Features...), Written: written, Changes: []kayobeChangeJSON{}, Notes: p.Notes, Summary: p.Summary()}
		for _, c := range p.Changes {
			if c.Action != overlay.Same {
				out.Changes = append(out.Changes, kayobeChangeJSON{Path: c.Path, Action: c.Action, Diff: c.Diff(), Why: c.Why, New: c.New})
			}
		}
		return g.printJSON(out)
	}
	for _, c := range p.Changes {
		if _, err := fmt.Fprint(g.Stdout, c.Diff()); err != nil {
			return fmt.Errorf("writing the changes: %w", err)
		}
	}
	for _, c := range p.Changes {
		if text := g.kayobeNote(c); text != "" {
			fmt.Fprintln(g.Stderr, text)
		}
	}
	for _, note := range p.Notes {
		fmt.Fprintln(g.Stderr, note)
	}
	if !g.quiet {
		fmt.Fprintln(g.Stderr, p.Summary())
	}
	return nil
}

// kayobeNote says what a diff does not.
func (g *globals) kayobeNote(c overlay.Change) string {
	switch {
	case c.Action == overlay.Conflict:
		return fmt.Sprintf("%s: %s. What this release has is in %s: merge it by hand, delete that file, and run install again", c.Path, c.Why, c.New)
	case c.Action == overlay.Gone:
		return c.Path + ": was deleted here, and stays deleted"
	case c.Action == overlay.Leave:
		return c.Path + ": was edited here, and stays; it is no longer a file of ibforge"
	case c.Path == overlay.CollectionDir && c.Action.Writes():
		return c.Path + ": " + map[overlay.Action]string{overlay.Create: "the collection was written", overlay.Update: "the collection was replaced", overlay.Remove: "the collection was removed"}[c.Action]
	case c.Action == overlay.Keep && g.verbose:
		return c.Path + ": was edited here, and is kept"
	}
	return ""
}
