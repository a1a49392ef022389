package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge"
	"github.com/ibforge/ibforge/builder/overlay"
	"github.com/ibforge/ibforge/kayobe"
)

// kayobeFlags are those of all verbs of kayobe.
type kayobeFlags struct{ configPath, environment string }

func newKayobe(g *globals) *cobra.Command {
	var f kayobeFlags
	cmd := &cobra.Command{
		Use:   "kayobe VERB",
		Short: "Bring the fabric services into a Kayobe configuration",
		Long: `Brings playbooks, hooks, groups and configuration of the fabric services into a
Kayobe configuration, so that Kayobe's own commands carry them along. VERB is
one of:

  install  copy the files or update them; an edit is never written over
  diff     what install would do; the exit code is 1 if that is anything
  check    find what Kayobe, Kolla or Neutron would drop without a word; the
           exit code is 1 if there is any
  remove   take out what was not edited

What was shipped before is remembered in .ibforge of the configuration; commit
it with the rest. Changes are printed as git diff prints them, with paths
relative to the configuration. The playbooks, the collection and its entry in
ansible/requirements.yml are at the root also with --environment, because
Kayobe shares ansible/ between environments. docs/kayobe.md says more.`,
		Example: "  ibforge kayobe install --config-path etc/kayobe --feature sdn\n  ibforge kayobe check --environment production",
		Args:    knownVerb,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// As the root command.
		SuggestionsMinimumDistance: 2,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.configPath, "config-path", g.env("KAYOBE_CONFIG_PATH"), "`DIR` of the Kayobe configuration, or of its repository; also KAYOBE_CONFIG_PATH")
	flags.StringVar(&f.environment, "environment", g.env("KAYOBE_ENVIRONMENT"), "`NAME` of a Kayobe environment to have the files; also KAYOBE_ENVIRONMENT")
	cmd.AddCommand(newKayobeInstall(g, &f), newKayobeDiff(g, &f), newKayobeCheck(g, &f), newKayobeRemove(g, &f))
	return cmd
}

// configuration is a Kayobe configuration on this machine.
type configuration struct {
	*os.Root
	// path is absolute.
	path string
}

// openKayobe finds the configuration and tells where it is if that is not what
// was given.
func (g *globals) openKayobe(f *kayobeFlags) (configuration, error) {
	if f.configPath == "" {
		return configuration{}, usageError{errors.New("the Kayobe configuration is missing: give --config-path, or set KAYOBE_CONFIG_PATH as kayobe-env of its repository does")}
	}
	path, err := filepath.Abs(f.configPath)
	if err != nil {
		return configuration{}, fmt.Errorf("--config-path: %w; give an absolute path", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return configuration{}, usageError{fmt.Errorf("--config-path: %w; give the directory of the Kayobe configuration", err)}
	}
	if !info.IsDir() {
		return configuration{}, usageError{fmt.Errorf("--config-path: %s is no directory; give that of the Kayobe configuration", path)}
	}
	below, err := overlay.FindConfiguration(os.DirFS(path), path)
	if err != nil {
		return configuration{}, usageError{fmt.Errorf("--config-path: %w", err)}
	}
	if below != "." {
		path = filepath.Join(path, below)
		fmt.Fprintf(g.Stderr, "the Kayobe configuration is %s\n", path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return configuration{}, err
	}
	return configuration{Root: root, path: path}, nil
}

// writable asks the kernel, which knows of file systems that are read-only too.
func (c configuration) writable(dir string) error {
	path := filepath.Join(c.path, dir)
	if err := unix.Access(path, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s cannot be written to: %w; nothing was changed: let this user write there, or work in a clone of the repository", path, err)
	}
	return nil
}

// alone keeps other runs out of the configuration until unlock is called. The
// lock is on the directory itself, so that nothing is left behind, and ends with
// this process, however it dies.
func (g *globals) alone(c configuration) (unlock func(), err error) {
	dir, err := c.Open(".")
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", c.path, err)
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		_ = dir.Close() // nothing was written through it
		return nil, fmt.Errorf("%s: another ibforge is changing this configuration; nothing was changed: run this again when that has ended", c.path)
	}
	if err != nil {
		// NFS wants a file that can be written (flock(2)), and other file systems
		// have no locks at all.
		fmt.Fprintf(g.Stderr, "%s cannot be locked: %v; see to it that no other ibforge changes it now\n", c.path, err)
	}
	return func() { _ = dir.Close() }, nil
}

// shippedOverlay is what this program has for Kayobe.
func shippedOverlay() (overlay.Source, overlay.Collection, error) {
	source, err := overlay.ReadSource(kayobe.Files())
	if err != nil {
		return overlay.Source{}, overlay.Collection{}, fmt.Errorf("the overlay of this program: %w", err)
	}
	shipped, err := overlay.ReadCollection(ibforge.Collection())
	if err != nil {
		return overlay.Source{}, overlay.Collection{}, fmt.Errorf("the collection of this program: %w", err)
	}
	return source, shipped, nil
}
