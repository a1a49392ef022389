package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/apenella/go-ansible/v2/pkg/execute"
	"github.com/apenella/go-ansible/v2/pkg/execute/configuration"
	goresult "github.com/apenella/go-ansible/v2/pkg/execute/result"
)

// Ansible is the Runner that runs ansible-playbook.
type Ansible struct{}

// Run implements Runner by the function Run.
func (Ansible) Run(ctx context.Context, o Options) (Recap, error) { return Run(ctx, o) }

// Run runs a playbook to its end.
//
// The error is nil only if at least one host was reached, and none failed. It
// is a *HostsError, *NoHostsError, *AnsibleError or *NotInstalledError, the
// cause of the context's end, or says what is wrong with the options. What the
// progress has shown is not in it again. The Recap holds what is known in each
// of these cases.
func Run(ctx context.Context, o Options) (recap Recap, err error) {
	o = o.withDefaults()
	if err := o.checkInventory(); err != nil {
		return Recap{}, err
	}
	program, err := o.findProgram()
	if err != nil {
		return Recap{}, err
	}
	w, err := newWorkspace(o)
	if err != nil {
		return Recap{}, err
	}
	defer func() {
		if rmErr := w.remove(); rmErr != nil {
			err = errors.Join(err, fmt.Errorf("remove the run's private directory: %w", rmErr))
		}
	}()
	begin := o.Now()
	f := newFollower(o, w)
	l, err := launch(ctx, o, w, f, newCommand(program, o, w.extraVars))
	if err != nil {
		return Recap{}, err
	}
	f.recap.Duration = o.Now().Sub(begin)
	return f.recap, errors.Join(f.report(o), f.outcome(ctx, o, l))
}

func newFollower(o Options, w *workspace) *follower {
	p := &progress{out: o.Stdout, color: o.Color, width: max(0, o.Width), quiet: o.Quiet}
	if o.JSON {
		p.out = o.Stderr
	}
	return &follower{
		progress: p,
		words:    newWords(func(text string) { p.text(o.Stderr, w.display(text)) }),
		display:  w.display,
		verbose:  o.Verbosity > 0,
		diff:     o.Diff,
	}
}

// launch runs the command through go-ansible and returns once it has ended.
// The only errors are those of a process that could not start.
func launch(ctx context.Context, o Options, w *workspace, f *follower, cmd execute.Commander) (*launcher, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	events := &lineWriter{line: f.line}
	said := &lineWriter{line: f.words.line}
	l := &launcher{termAfter: termGrace, killAfter: killGrace}
	ex := execute.NewDefaultExecute(
		execute.WithCmd(cmd),
		execute.WithExecutable(l),
		execute.WithOutput(pump{}),
		execute.WithWrite(events),
		execute.WithWriteError(said),
		execute.WithEnvVars(moreSettings(o, w)),
	)
	l.environ = func() []string { return mergeEnviron(o.Environ, ex.EnvVars) }
	err := configuration.NewAnsibleWithConfigurationSettingsExecute(ex, settings()...).Execute(ctx)
	if l.process != nil && l.process.startErr != nil {
		// go-ansible's own error is of no use to errors.Is.
		err = fmt.Errorf("start ansible-playbook: %w", l.process.startErr)
	}
	if err != nil {
		return nil, err
	}
	events.flush()
	said.flush()
	f.progress.end()
	return l, nil
}

// pump is a goresult.ResultsOutputer that passes the bytes on. The one that
// go-ansible has for this callback ends at a line of 64 KiB, which a task with
// a large loop exceeds, and stops reading when the context ends, which blocks
// ansible-playbook in its last words.
type pump struct{}

// Print implements goresult.ResultsOutputer.
func (pump) Print(_ context.Context, r io.Reader, w io.Writer, _ ...goresult.OptionsFunc) error {
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("reading what ansible-playbook says: %w", err)
	}
	return nil
}

// report writes the recap.
func (f *follower) report(o Options) error {
	if f.ended && len(f.recap.Hosts) > 0 {
		f.progress.write(f.table())
		f.progress.write(fmt.Sprintf("done in %s\n", f.recap.Duration.Round(100*time.Millisecond)))
	}
	if !o.JSON {
		return nil
	}
	e := json.NewEncoder(o.Stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(f.recap); err != nil {
		return fmt.Errorf("write the recap: %w", err)
	}
	return nil
}

// outcome turns the end of the process into Run's error.
func (f *follower) outcome(ctx context.Context, o Options, l *launcher) error {
	status := l.process.status()
	clean := f.ended && (status == 0 || f.recap.Err() != nil)
	said := f.words.rest(!clean && ctx.Err() == nil)
	switch {
	case ctx.Err() != nil && (!f.ended || status != 0):
		return fmt.Errorf("ansible-playbook was interrupted, and hosts may be half way through a task; run it again to finish: %w", context.Cause(ctx))
	case !clean:
		return &AnsibleError{Playbook: o.Playbook, Status: status, Words: f.display(said)}
	case len(f.recap.Hosts) == 0:
		return &NoHostsError{Playbook: o.Playbook, Inventory: o.Inventory, Limit: o.Limit}
	}
	return f.recap.Err()
}
