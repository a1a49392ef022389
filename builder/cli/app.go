// Package cli is the command line: one file for each verb, which maps flags to
// the options of the package that does the work, and shows what comes back.
// There is no other logic in it. cmd/ibforge and the story tests call Main.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
	"github.com/ibforge/ibforge/builder/spec"
)

// Exit codes of Main.
const (
	ExitOK     = 0
	ExitFailed = 1 // the thing asked for failed
	ExitUsage  = 2 // used wrongly
)

// App is the world as the commands see it.
type App struct {
	Stdout, Stderr io.Writer
	Environ        []string
	Now            func() time.Time
	// Arch is the architecture of the images in Go's words, such as "amd64".
	Arch string
	// Libexec is the directory of the programs that go beside ibforge, unless
	// IBFORGE_LIBEXEC names another.
	Libexec string
	// OpenStore opens the image store.
	OpenStore func(engine.StoreOptions) (engine.Store, error)
	// Deployer runs playbooks.
	Deployer deploy.Runner
}

// globals are the flags of every verb.
type globals struct {
	App
	dir, store string
	json       bool
	noColor    bool
	quiet      bool
	verbose    bool
	vars       []string
	varFiles   []string
	mirror     string
}

// errSilent ends a command whose fault has been shown already.
var errSilent = errors.New("shown already")

// usageError is a fault of the command line.
type usageError struct{ error }

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, app App) int {
	g := &globals{App: app}
	root := newRoot(g)
	root.SetArgs(args)
	root.SetOut(app.Stdout)
	root.SetErr(app.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errSilent):
		return ExitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(app.Stderr, "Error: %v\nSee '%s --help'.\n", err, cmd.CommandPath())
		return ExitUsage
	case ctx.Err() != nil:
		fmt.Fprintln(app.Stderr, "Error: interrupted; what was finished is kept")
		return ExitFailed
	default:
		fmt.Fprintf(app.Stderr, "Error: %v\n", err)
		return ExitFailed
	}
}

func newRoot(g *globals) *cobra.Command {
	root := &cobra.Command{
		Use:   "ibforge",
		Short: "Build, verify and deploy systemd-capable images of InfiniBand fabric services",
		Long: `ibforge turns HCL descriptions of InfiniBand fabric services into container
images that boot systemd, proves that they boot, and deploys them with Ansible.

Results go to standard output, everything else to standard error.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              knownVerb,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		// Of letters in which a verb may differ from what is suggested for it.
		SuggestionsMinimumDistance: 2,
	}
	root.SetUsageTemplate(root.UsageTemplate() + "\nExit codes: 0 fine, 1 the thing asked for failed, 2 used wrongly.\n")
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVarP(&g.dir, "directory", "C", ".", "`DIR` of the project, which has images/ and configs/")
	f.StringVar(&g.store, "store", g.env("IBFORGE_STORE"), "`DIR` of the image store and cache; also IBFORGE_STORE. Without either it is /var/lib/ibforge for root, ~/.local/share/ibforge for others")
	f.BoolVar(&g.json, "json", false, "print results as JSON")
	f.BoolVar(&g.noColor, "no-color", g.env("NO_COLOR") != "", "no colours; also NO_COLOR")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "no progress")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "the output of all steps and tasks")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newValidate(g), newPlan(g), newBuild(g), newVerify(g), newInspect(g), newPush(g), newDeploy(g), newPortmap(g), newKayobe(g), newVersion(g))
	return root
}

// variableFlags are the flags of verbs that read descriptions.
func (g *globals) variableFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&g.vars, "var", nil, "set a variable, `NAME=VALUE`; also IBFORGE_VAR_name; repeatable")
	cmd.Flags().StringArrayVar(&g.varFiles, "var-file", nil, "read variables from an HCL `FILE`, relative to the project directory; repeatable")
}

// args takes exactly the positional arguments of these names.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		switch {
		case len(a) < len(names):
			return usageError{fmt.Errorf("%s is missing; the form is: %s", names[len(a)], cmd.UseLine())}
		case len(a) > len(names):
			return usageError{fmt.Errorf("%q is one argument too many; the form is: %s", a[len(names)], cmd.UseLine())}
		}
		return nil
	}
}

// knownVerb is reached by the root command only with what is no verb.
func knownVerb(root *cobra.Command, a []string) error {
	if len(a) == 0 {
		return nil
	}
	if near := root.SuggestionsFor(a[0]); len(near) > 0 {
		return usageError{fmt.Errorf("there is no verb %q; did you mean %q?", a[0], near[0])}
	}
	var verbs []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			verbs = append(verbs, c.Name())
		}
	}
	return usageError{fmt.Errorf("there is no verb %q; there are %s", a[0], strings.Join(verbs, ", "))}
}

func (g *globals) env(name string) string {
	for i := len(g.Environ) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(g.Environ[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// defaultStore is where images are kept when nobody says otherwise.
func defaultStore(g *globals) string {
	if os.Geteuid() == 0 {
		return "/var/lib/ibforge"
	}
	data := g.env("XDG_DATA_HOME")
	if data == "" {
		data = filepath.Join(g.env("HOME"), ".local", "share")
	}
	return filepath.Join(data, "ibforge")
}

func (g *globals) storeDir() (string, error) {
	if g.store == "" {
		return defaultStore(g), nil
	}
	dir, err := filepath.Abs(g.store)
	if err != nil {
		return "", fmt.Errorf("finding the store: %w; give --store or IBFORGE_STORE an absolute path", err)
	}
	return dir, nil
}

// epoch is SOURCE_DATE_EPOCH, or 0: an image's date says nothing that its key
// and its packages' versions do not say better.
func (g *globals) epoch() (int64, error) {
	v := g.env("SOURCE_DATE_EPOCH")
	if v == "" {
		return 0, nil
	}
	var n int64
	if _, err := fmt.Sscanf(v, "%d", &n); err != nil || n < 0 || fmt.Sprint(n) != v {
		return 0, usageError{fmt.Errorf("SOURCE_DATE_EPOCH is %q; it takes seconds since 1970, such as 1700000000", v)}
	}
	return n, nil
}

func (g *globals) openStore() (engine.Store, error) {
	dir, err := g.storeDir()
	if err != nil {
		return nil, err
	}
	epoch, err := g.epoch()
	if err != nil {
		return nil, err
	}
	project, err := filepath.Abs(g.dir)
	if err != nil {
		return nil, fmt.Errorf("finding the project directory: %w; give -C an absolute path", err)
	}
	return g.OpenStore(engine.StoreOptions{
		Dir: dir, Mirror: g.mirror, Epoch: epoch, Environ: g.Environ, Project: project, Helper: g.companion(portsHelper),
	})
}

// load reads the descriptions and shows their faults.
func (g *globals) load(files ...string) (*spec.Result, hcl.Diagnostics, error) {
	root, err := os.OpenRoot(g.dir)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("project directory: %w; choose it with -C", err)}
	}
	// A plan reads rootfs files through this root until the build is done, so
	// it stays open for the life of the process.
	res, diags := spec.Load(spec.Options{FS: root.FS(), Files: files, Vars: g.vars, VarFiles: g.varFiles, Environ: g.Environ})
	return res, diags, nil
}

// plan loads and plans; faults have been shown when it returns errSilent.
func (g *globals) plan() (plan.Plan, *spec.Result, error) {
	res, diags, err := g.load()
	if err != nil {
		return plan.Plan{}, nil, err
	}
	if len(diags) > 0 {
		if err := g.showDiagnostics(res, diags); err != nil {
			return plan.Plan{}, nil, err
		}
	}
	if diags.HasErrors() {
		return plan.Plan{}, nil, errSilent
	}
	epoch, err := g.epoch()
	if err != nil {
		return plan.Plan{}, nil, err
	}
	helper, err := digestOf(g.companion(portsHelper))
	if err != nil {
		return plan.Plan{}, nil, err
	}
	p, err := plan.Make(res.Project, plan.Options{Arch: g.Arch, Epoch: epoch, Helper: helper})
	return p, res, err
}

func (g *globals) showDiagnostics(res *spec.Result, diags hcl.Diagnostics) error {
	var files map[string]*hcl.File
	if res != nil {
		files = res.Files
	}
	return spec.WriteDiagnostics(g.Stderr, files, diags, g.width(g.Stderr), g.color(g.Stderr))
}

// width is that of the terminal, or one that fits where there is none.
func (g *globals) width(w io.Writer) uint {
	if f, ok := w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 20 {
			return uint(w)
		}
	}
	return 78
}

// color tells whether w is a terminal that is to have colours.
func (g *globals) color(w io.Writer) bool {
	return !g.noColor && g.terminal(w)
}

func (g *globals) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (g *globals) printJSON(v any) error {
	enc := json.NewEncoder(g.Stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}
