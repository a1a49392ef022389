package deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apenella/go-ansible/v2/pkg/playbook"
)

// command is go-ansible's command with more than one inventory. go-ansible's
// option takes a single one, and Ansible reads "a,b" as a list of hosts.
type command struct {
	*playbook.AnsiblePlaybookCmd
	inventory []string
}

// newCommand returns the command for program. extraVars are of the form @file.
func newCommand(program string, o Options, extraVars []string) command {
	opts := &playbook.AnsiblePlaybookOptions{
		Check:         o.Check,
		Diff:          o.Diff,
		ExtraVarsFile: extraVars,
		Limit:         o.Limit,
		Tags:          strings.Join(o.Tags, ","),
		SkipTags:      strings.Join(o.SkipTags, ","),
		VerboseV:      o.Verbosity == 1,
		VerboseVV:     o.Verbosity == 2,
		VerboseVVV:    o.Verbosity == 3,
		VerboseVVVV:   o.Verbosity > 3,
	}
	return command{
		AnsiblePlaybookCmd: playbook.NewAnsiblePlaybookCmd(
			playbook.WithBinary(program),
			playbook.WithPlaybooks(o.Playbook),
			playbook.WithPlaybookOptions(opts),
		),
		inventory: o.Inventory,
	}
}

// Command implements execute.Commander.
func (c command) Command() ([]string, error) {
	argv, err := c.AnsiblePlaybookCmd.Command()
	if err != nil {
		return nil, fmt.Errorf("composing the call of ansible-playbook: %w", err)
	}
	flags := make([]string, len(c.inventory))
	for i, source := range c.inventory {
		flags[i] = playbook.InventoryFlag + "=" + source
	}
	return slices.Insert(argv, 1, flags...), nil
}

// String implements execute.Commander.
func (c command) String() string {
	argv, err := c.Command()
	if err != nil {
		return err.Error()
	}
	return strings.Join(argv, " ")
}
