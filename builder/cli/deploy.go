package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ibforge/ibforge/builder/deploy"
)

// actions are the playbooks of the collection.
func actions() []string {
	return []string{"host_configure", "precheck", "deploy", "reconfigure", "pull", "upgrade", "check", "stop", "start", "backup", "restore", "destroy"}
}

func newDeploy(g *globals) *cobra.Command {
	o := deploy.Options{}
	action, file := "deploy", imagesFileName
	cmd := &cobra.Command{
		Use:   "deploy --inventory INVENTORY",
		Short: "Run the collection's playbook against the hosts of an inventory",
		Long: `Runs the playbook ibforge.fabric.deploy, or that of another --action, with
ansible-playbook. ibforge-images.yml of the project, which build writes, is
passed as extra variables; -e goes before it.

The exit code is 0 when no host failed and none was unreachable.`,
		Example: "  ibforge deploy --inventory inventory/ --limit controllers --check --diff\n  ibforge deploy -i hosts.yml --action precheck",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.Inventory) == 0 {
				return usageError{errors.New("--inventory is missing: it names the hosts to deploy to, such as --inventory inventory/hosts.yml")}
			}
			if !slices.Contains(actions(), action) {
				return usageError{fmt.Errorf("--action is %q; it takes one of %s", action, strings.Join(actions(), ", "))}
			}
			o.Playbook = "ibforge.fabric." + action
			return g.deploy(cmd, o, g.path(file))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringArrayVarP(&o.Inventory, "inventory", "i", nil, "inventory `FILE`, directory or host list that ends in a comma; repeatable")
	f.StringVarP(&o.Limit, "limit", "l", "", "host `PATTERN` to keep to")
	f.StringVar(&action, "action", action, "`VERB`: "+strings.Join(actions(), ", "))
	f.BoolVar(&o.Check, "check", false, "say what would change, and change nothing")
	f.BoolVar(&o.Diff, "diff", false, "show changes of files")
	f.StringArrayVarP(&o.ExtraVars, "extra-vars", "e", nil, "`VAR=VALUE`, JSON, or @FILE; repeatable")
	f.StringSliceVar(&o.Tags, "tags", nil, "only tasks with this `TAG`; repeatable, or several with commas")
	f.StringVar(&o.AnsiblePlaybook, "ansible-playbook", "", "the `PROGRAM` (default: on PATH, then .cache/venv/bin of the project)")
	f.StringVar(&file, "images-file", file, "`FILE` that build wrote, relative to the project directory")
	return cmd
}

func (g *globals) deploy(cmd *cobra.Command, o deploy.Options, imagesFile string) error {
	if _, err := os.Stat(imagesFile); err == nil {
		o.ExtraVars = append([]string{"@" + imagesFile}, o.ExtraVars...)
	}
	o.ProjectDir, o.Environ = g.dir, g.Environ
	o.Stdout, o.Stderr = g.Stdout, g.Stderr
	o.Color, o.JSON, o.Now = g.color(g.Stdout), g.json, g.Now
	if g.terminal(g.Stdout) && !g.json {
		o.Width = int(g.width(g.Stdout))
	}
	o.Quiet = g.quiet
	if g.verbose {
		o.Verbosity = 1
	}
	recap, err := g.Deployer.Run(cmd.Context(), o)
	if err != nil {
		return err
	}
	if recap.Err() != nil {
		return errSilent
	}
	return nil
}
