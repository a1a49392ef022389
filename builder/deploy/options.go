package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DefaultPlaybook is run where Options.Playbook is empty.
const DefaultPlaybook = "ibforge.fabric.deploy"

// Runner runs a playbook. Ansible is the real one, Recorder the fake.
type Runner interface {
	Run(ctx context.Context, o Options) (Recap, error)
}

// Options say which playbook runs where. Relative paths are relative to the
// working directory of the process, as on ansible-playbook's own command line.
type Options struct {
	// ProjectDir is the checkout of ibforge. If its galaxy.yml says that it is
	// the collection ibforge.fabric, it goes before every installed copy of
	// that collection. Empty means that only installed collections count.
	ProjectDir string
	// Playbook is a path, or a playbook of a collection by its full name;
	// empty means DefaultPlaybook.
	Playbook string
	// Inventory holds files, directories, or host lists such as "ctl1,". At
	// least one; the later one wins where two say the same.
	Inventory []string
	// Limit is a host pattern that narrows every play; empty is no limit.
	Limit string
	// Check predicts changes and makes none. Diff shows what changes.
	Check, Diff bool
	// Tags and SkipTags choose tasks; empty means all and none.
	Tags, SkipTags []string
	// ExtraVars are given as ansible-playbook's -e takes them: key=value,
	// a JSON or YAML mapping, or @file. The later one wins.
	ExtraVars []string
	// Verbosity is the number of v in -v to -vvvv; 0 to 4, more counts as 4.
	// From 1 on, tracebacks of modules and deprecations are shown too.
	Verbosity int
	// Quiet shows of the progress only the tasks that failed.
	Quiet bool
	// AnsiblePlaybook is the program; empty means the first ansible-playbook
	// on PATH, then ProjectDir/.cache/venv/bin/ansible-playbook.
	AnsiblePlaybook string
	// Environ is the environment in os.Environ form. ANSIBLE_* settings of the
	// caller stay, save for those that the run relies on; see settings.
	Environ []string
	// Stdout takes the progress and the recap, Stderr Ansible's own words. nil
	// discards. They are written to by one goroutine at a time.
	Stdout, Stderr io.Writer
	// Color allows ANSI colours in the progress.
	Color bool
	// Width is the width of the terminal in columns. Above 0 the line of the
	// running task is rewritten as its hosts report; 0, for everything that is
	// no terminal, writes each line once.
	Width int
	// JSON puts the Recap as one JSON object on Stdout; the progress then goes
	// to Stderr.
	JSON bool
	// Now is the clock for Recap.Duration; nil means time.Now.
	Now func() time.Time
}

// withDefaults fills in what may be left empty.
func (o Options) withDefaults() Options {
	if o.Playbook == "" {
		o.Playbook = DefaultPlaybook
	}
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the documented default; a test hands its own clock in
	}
	return o
}

// checkInventory refuses what Ansible would only warn about: a source that
// does not exist leaves it with the implicit localhost, and a play for all
// hosts then runs on the operator's own machine.
func (o Options) checkInventory() error {
	if len(o.Inventory) == 0 {
		return errors.New(`no inventory: name a file or directory, or a host list that ends in a comma such as "ctl1,"`)
	}
	var errs []error
	for _, source := range o.Inventory {
		if strings.Contains(source, ",") { // ansible-playbook(1), -i: a host list
			continue
		}
		_, err := os.Stat(o.expand(source))
		switch {
		case source == "" || errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("inventory %q does not exist; give the path of an inventory file or directory, or write %q if it is the name of a host",
				source, source+","))
		case err != nil:
			errs = append(errs, fmt.Errorf("inventory %q cannot be read: %w", source, err))
		}
	}
	return errors.Join(errs...)
}

// expand does with an inventory path what Ansible does with it.
func (o Options) expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(getenv(o.Environ, "HOME"), rest)
	}
	return os.Expand(path, func(name string) string { return getenv(o.Environ, name) })
}

// NotInstalledError says that there is no ansible-playbook, and what to do.
type NotInstalledError struct {
	// Venv is where a virtual environment of the project was looked for;
	// empty if there is no project directory.
	Venv string
}

// Error names the places and the cure.
func (e *NotInstalledError) Error() string {
	where, venv := "on PATH", ".cache/venv"
	if e.Venv != "" {
		where, venv = "on PATH nor in "+filepath.Join(e.Venv, "bin"), e.Venv
	}
	return fmt.Sprintf("ansible-playbook was not found %s; install it with: python3 -m venv %s && %s/bin/pip install 'ansible>=11,<14'", where, venv, venv)
}

// findProgram looks the program up in the caller's environment, which need not
// be that of this process.
func (o Options) findProgram() (string, error) {
	const name = "ansible-playbook"
	if o.AnsiblePlaybook != "" {
		if !strings.Contains(o.AnsiblePlaybook, "/") {
			if p := lookPath(o.Environ, o.AnsiblePlaybook); p != "" {
				return p, nil
			}
			return "", fmt.Errorf("%s was not found on PATH; give the path of ansible-playbook", o.AnsiblePlaybook)
		}
		if !executable(o.AnsiblePlaybook) {
			return "", fmt.Errorf("%s is no program; give the path of ansible-playbook", o.AnsiblePlaybook)
		}
		return o.AnsiblePlaybook, nil
	}
	if p := lookPath(o.Environ, name); p != "" {
		return p, nil
	}
	if o.ProjectDir == "" {
		return "", &NotInstalledError{}
	}
	venv := filepath.Join(o.ProjectDir, ".cache", "venv")
	if p := filepath.Join(venv, "bin", name); executable(p) {
		return p, nil
	}
	return "", &NotInstalledError{Venv: venv}
}

func lookPath(environ []string, name string) string {
	for _, dir := range filepath.SplitList(getenv(environ, "PATH")) {
		if p := filepath.Join(dir, name); filepath.IsAbs(dir) && executable(p) {
			return p
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}

// getenv returns the value that a process with this environment sees: the last
// one counts, as in os/exec.
func getenv(environ []string, name string) string {
	value := ""
	for _, entry := range environ {
		if k, v, ok := strings.Cut(entry, "="); ok && k == name {
			value = v
		}
	}
	return value
}
