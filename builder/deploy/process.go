package deploy

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	goexec "github.com/apenella/go-ansible/v2/pkg/execute/exec"
)

// How long ansible-playbook may take for an orderly end: after the first span
// it gets SIGTERM, after the second one, counted from the beginning, SIGKILL.
const (
	termGrace = 10 * time.Second
	killGrace = 15 * time.Second
)

// launcher starts ansible-playbook for go-ansible's DefaultExecute, in place
// of its own one, for four reasons. On cancel that one kills the leader alone,
// and the workers and their ssh clients go on; it connects standard input; it
// adds this process's environment instead of the caller's; and it puts the
// whole of the settings into the error of every failed run. All of this is in
// DefaultExecute.Execute, which leaves a command alone that is no *exec.Cmd.
type launcher struct {
	environ func() []string
	// How long to wait on cancel before SIGTERM, and before SIGKILL.
	termAfter, killAfter time.Duration
	// process is the last one that was started.
	process *process
}

// Command implements execute.Executabler.
func (l *launcher) Command(name string, arg ...string) goexec.Cmder {
	return l.CommandContext(context.Background(), name, arg...)
}

// CommandContext implements execute.Executabler.
func (l *launcher) CommandContext(ctx context.Context, name string, arg ...string) goexec.Cmder {
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.Env = l.environ()
	// A session of its own has no terminal, so that neither ssh nor getpass(3)
	// can ask a question that nobody sees; and it is a process group of its
	// own, so that a signal reaches the workers too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p := &process{Cmd: goexec.NewCmd(cmd), cmd: cmd, termAfter: l.termAfter, done: make(chan struct{})}
	cmd.Cancel = p.interrupt
	cmd.WaitDelay = l.killAfter
	l.process = p
	return p
}

// process is one ansible-playbook. Its Wait never fails: DefaultExecute panics
// on every error but *exec.ExitError, so the outcome is kept for status.
type process struct {
	*goexec.Cmd
	cmd       *exec.Cmd
	termAfter time.Duration
	pipes     []*io.PipeWriter
	done      chan struct{}
	canceled  atomic.Bool
	startErr  error
}

// StdoutPipe and StderrPipe hand out pipes that end with the process. Pipes of
// the operating system would stay open as long as any descendant holds them,
// such as an ssh master connection that lives on (ssh_config(5),
// ControlPersist).
func (p *process) StdoutPipe() (io.ReadCloser, error) {
	r, w := p.pipe()
	p.cmd.Stdout = w
	return r, nil
}

// StderrPipe is like StdoutPipe.
func (p *process) StderrPipe() (io.ReadCloser, error) {
	r, w := p.pipe()
	p.cmd.Stderr = w
	return r, nil
}

func (p *process) pipe() (*io.PipeReader, *io.PipeWriter) {
	r, w := io.Pipe()
	p.pipes = append(p.pipes, w)
	return r, w
}

// Start starts the process and somebody who waits for it.
func (p *process) Start() error {
	if p.startErr = p.cmd.Start(); p.startErr != nil {
		return p.startErr
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // status says more
		if p.canceled.Load() {
			// Whoever is left of the group; most often nobody.
			_ = p.signal(syscall.SIGKILL)
		}
		for _, w := range p.pipes {
			_ = w.Close() // never fails, see io.PipeWriter
		}
	}()
	return nil
}

// Wait implements exec.Cmder.
func (p *process) Wait() error {
	<-p.done
	return nil
}

// interrupt is what Ctrl-C on a terminal does: SIGINT to the whole group.
// Ansible then says so and exits with 99; a Python that was started with
// SIGINT ignored needs the SIGTERM.
func (p *process) interrupt() error {
	p.canceled.Store(true)
	time.AfterFunc(p.termAfter, func() {
		select {
		case <-p.done:
		default:
			_ = p.signal(syscall.SIGTERM)
		}
	})
	return p.signal(syscall.SIGINT)
}

func (p *process) signal(sig syscall.Signal) error {
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil {
		return fmt.Errorf("sending %v to ansible-playbook and its workers: %w", sig, err)
	}
	return nil
}

// status returns the exit status, -1 for the end by a signal or no start.
func (p *process) status() int {
	if p.cmd.ProcessState == nil {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}
