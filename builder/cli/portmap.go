package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/conflict"
	"github.com/ibforge/ibforge/builder/portmap/kolla"
	"github.com/ibforge/ibforge/configs"
)

// withoutKolla is the release of a host that has no Kolla.
const withoutKolla = "none"

// portmapFlags are those of all verbs of portmap.
type portmapFlags struct {
	imagesFile string
	hostPorts  []string
	kolla      string
	globals    []string
	listeners  string
}

func newPortmap(g *globals) *cobra.Command {
	var f portmapFlags
	cmd := &cobra.Command{
		Use:   "portmap VERB [IMAGE…]",
		Short: "Show where services' ports land on a host, and who else wants them",
		Long: `Holds the ports in the Runtime contracts of the images (all, or those named)
against one another, against those of Kolla-Ansible's services, and with
--listeners against who listens on a host. VERB is one of:

  show   the map as a table: what each service insists on, where that lands on
         the host, how it is moved, and who else wants it
  check  the conflicts alone, each with both sides and a free number; the exit
         code is 1 if there is one

Contracts come from the descriptions, or from ibforge-images.yml if
--images-file names it. Kolla's ports come from a table in ibforge; without
--kolla it is that of the newest release. Without --kolla-globals all of Kolla's
services count, with the ports that they have by default. docs/portmap.md says
how ports are moved, and what is printed with --json.`,
		Example: "  ibforge portmap show\n  ibforge portmap check --kolla 2025.1 --kolla-globals /etc/kolla/globals.yml --listeners",
		Args:    knownVerb,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// As the root command.
		SuggestionsMinimumDistance: 2,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.imagesFile, "images-file", "", "read contracts from `FILE`, such as ibforge-images.yml, in place of the descriptions; relative to the project directory")
	flags.StringArrayVar(&f.hostPorts, "host-port", nil, "a port lands elsewhere than the image says, `IMAGE.PORT=NUMBER`; repeatable")
	flags.StringVar(&f.kolla, "kolla", "", "`RELEASE` of Kolla-Ansible on the host, such as 2025.1, or none")
	flags.StringArrayVar(&f.globals, "kolla-globals", nil, "`FILE` of variables for Kolla-Ansible, globals.yml: services that are on, and ports that differ; repeatable")
	flags.StringVar(&f.listeners, "listeners", "", "look who listens on this host; --listeners=`DIR` takes a copy of another host's /proc")
	flags.Lookup("listeners").NoOptDefVal = "/proc"
	for _, verb := range []*cobra.Command{newPortmapShow(g, &f), newPortmapCheck(g, &f)} {
		g.variableFlags(verb)
		cmd.AddCommand(verb)
	}
	return cmd
}

func newPortmapShow(g *globals, f *portmapFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show [IMAGE…]",
		Short:   "Draw the map as a table",
		Example: "  ibforge portmap show\n  ibforge portmap show ufm --kolla 2025.1 --json",
		RunE: func(_ *cobra.Command, names []string) error {
			s, err := g.portmapScene(names, f)
			if err != nil {
				return err
			}
			if g.json {
				return g.printJSON(s.mapJSON())
			}
			return g.printMap(s)
		},
	}
}

func newPortmapCheck(g *globals, f *portmapFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "check [IMAGE…]",
		Short:   "Name the conflicts; exit code 1 if there is one",
		Example: "  ibforge portmap check --listeners\n  ibforge portmap check ufm --host-port ufm.https=9443 --kolla 2025.1",
		RunE: func(_ *cobra.Command, names []string) error {
			s, err := g.portmapScene(names, f)
			if err != nil {
				return err
			}
			conflicts := s.host.Conflicts()
			if g.json {
				err = g.printJSON(s.conflictsJSON(conflicts))
			} else {
				err = g.printConflicts(s, conflicts)
			}
			if err == nil && len(conflicts) > 0 {
				return errSilent
			}
			return err
		},
	}
}

// scene is one host and what of Kolla was looked at.
type scene struct {
	host conflict.Host
	// release of Kolla; empty where there is none.
	release kolla.Release
	// byGlobals tells that the site's variables were given.
	byGlobals bool
	// listeners tells that they were looked at.
	listeners bool
}

func (g *globals) portmapScene(names []string, f *portmapFlags) (s scene, err error) {
	if s.host.Contracts, err = g.contracts(names, f.imagesFile); err != nil {
		return s, err
	}
	if s.host.Contracts, err = conflict.Move(s.host.Contracts, f.hostPorts); err != nil {
		return s, usageError{fmt.Errorf("--host-port %w", err)}
	}
	if err := g.kollaPorts(f, &s); err != nil {
		return s, err
	}
	if f.listeners == "" {
		return s, nil
	}
	s.listeners = true
	if s.host.Listeners, err = conflict.ReadListeners(os.DirFS(g.path(f.listeners))); err != nil {
		return s, fmt.Errorf("--listeners=%s: %w", f.listeners, err)
	}
	return s, nil
}

// contracts of the images named, or of all.
func (g *globals) contracts(names []string, imagesFile string) ([]contract.Contract, error) {
	read := g.plannedContracts
	if imagesFile != "" {
		read = func() (map[string]*contract.Contract, []string, error) { return writtenContracts(g.path(imagesFile)) }
	}
	known, order, err := read()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = slices.DeleteFunc(slices.Clone(order), func(n string) bool { return known[n] == nil })
	}
	var out []contract.Contract
	for _, n := range names {
		c, ok := known[n]
		switch {
		case !ok:
			return nil, usageError{fmt.Errorf("there is no image %q; there are %s", n, strings.Join(order, ", "))}
		case c == nil:
			return nil, usageError{fmt.Errorf("image %q has no Runtime contract: its description has no runtime block", n)}
		}
		out = append(out, *c)
	}
	return out, nil
}

// plannedContracts are those of the descriptions; nil for an image without.
func (g *globals) plannedContracts() (map[string]*contract.Contract, []string, error) {
	p, _, err := g.plan()
	if err != nil {
		return nil, nil, err
	}
	out := map[string]*contract.Contract{}
	var order []string
	for _, img := range p.Images {
		out[img.Name] = img.Contract
		order = append(order, img.Name)
	}
	return out, order, nil
}

// writtenContracts are those of ibforge-images.yml.
func writtenContracts(file string) (map[string]*contract.Contract, []string, error) {
	// Without the file, readImagesFile gives an empty one.
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usageError{fmt.Errorf("--images-file: %w; ibforge build writes it", err)}
	}
	images, err := readImagesFile(file)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]*contract.Contract{}
	for name, entry := range images.Images {
		raw, err := json.Marshal(entry.Contract)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: image %s: %w", file, name, err)
		}
		c, err := contract.Parse(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: image %s: %w", file, name, err)
		}
		out[name] = &c
	}
	return out, slices.Sorted(maps.Keys(out)), nil
}

// kollaPorts says on standard error what it assumes.
func (g *globals) kollaPorts(f *portmapFlags, s *scene) error {
	if f.kolla == withoutKolla {
		if len(f.globals) > 0 {
			return usageError{errors.New("--kolla none and --kolla-globals exclude each other; leave one out")}
		}
		return nil
	}
	table, err := kolla.Parse(configs.KollaPorts())
	if err != nil {
		return err
	}
	if s.release = table.Newest(); f.kolla == "" {
		fmt.Fprintf(g.Stderr, "Kolla %s, the newest in the table, is assumed; choose with --kolla\n", s.release.Name)
	} else if s.release, err = table.Find(f.kolla); err != nil {
		return usageError{fmt.Errorf("--kolla: %w; none leaves Kolla out", err)}
	}
	s.host.Reserved = s.release.All()
	if len(f.globals) == 0 {
		fmt.Fprintln(g.Stderr, "all of Kolla's services count, with their default ports; --kolla-globals tells which are on")
		s.host.Kolla = s.release.All()
		return nil
	}
	s.byGlobals = true
	var site kolla.Globals
	for _, name := range f.globals {
		raw, err := os.ReadFile(g.path(name))
		if err != nil {
			return usageError{fmt.Errorf("--kolla-globals: %w", err)}
		}
		if site, err = kolla.ReadGlobals(site, name, raw); err != nil {
			return err
		}
	}
	for _, place := range s.release.Unknown(site) {
		fmt.Fprintf(g.Stderr, "%s is no port variable of Kolla %s; it was not looked at\n", place, s.release.Name)
	}
	s.host.Kolla, err = s.release.Used(site)
	return err
}
