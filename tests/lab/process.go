package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// killPatience is how long a process that was asked to end may take before it
// is killed. dockerd needs two to three seconds for an orderly end.
const killPatience = 15 * time.Second

// process is one child in a process group of its own, so that Ctrl-C in a
// terminal reaches the parent alone, which then ends its children in order.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *tail
	done chan struct{}
	err  error // how it ended; valid once done is closed
}

// command is what a process is to run.
type command struct {
	argv []string // the program's absolute path first
	dir  string
	env  []string
	// stdout is for output apart from messages; nil leaves both together.
	stdout io.Writer
	// log receives all messages as they come, and may be nil.
	log io.Writer
	// deathSignal is what the child gets if this process dies.
	deathSignal syscall.Signal
}

// startProcess starts a child under a name for errors. What it writes to its
// standard error is kept in the process's tail.
func startProcess(name string, c command) (*process, error) {
	//nolint:noctx // CommandContext kills the child alone, without asking; see stop
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	p := &process{name: name, cmd: cmd, out: &tail{also: c.log}, done: make(chan struct{})}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.env, c.stdout, p.out
	if c.stdout == nil {
		cmd.Stdout = p.out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: c.deathSignal}
	// A grandchild that keeps the output open must not keep Wait from
	// returning.
	cmd.WaitDelay = time.Second
	started := make(chan error)
	go func() {
		// The signal of PR_SET_PDEATHSIG is sent when the thread that forked
		// ends, not when the process does (prctl(2), golang.org/issue/27505).
		// Holding the thread until the child is gone makes the two the same.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("lab: start %s: %w", name, err)
	}
	return p, nil
}

// ended says whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// errEnded is in the chain of the error about a server that is gone though
// nobody stopped it.
var errEnded = errors.New("ended by itself")

// endedEarly is that error, with the end of what the server wrote.
func (p *process) endedEarly() error {
	status := "exit status 0"
	if p.err != nil {
		status = p.err.Error()
	}
	return fmt.Errorf("lab: %s %w: %s%s", p.name, errEnded, status, p.out.quote())
}

// signal sends sig to the process group. A group that is gone is no error.
func (p *process) signal(sig syscall.Signal) error {
	if p.ended() {
		return nil
	}
	err := syscall.Kill(-p.cmd.Process.Pid, sig)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("lab: signal %s: %w", p.name, err)
	}
	return nil
}

// stop asks the process group to end with SIGTERM and returns when it has.
// When patience or ctx runs out first, the group is killed. A server that had
// ended before anybody asked is an error, because a test that passed without
// it has shown nothing.
func (p *process) stop(ctx context.Context) error {
	if p.ended() {
		return p.endedEarly()
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	patience := time.NewTimer(killPatience)
	defer patience.Stop()
	select {
	case <-p.done:
		return p.crashed()
	case <-ctx.Done():
	case <-patience.C:
	}
	return p.kill()
}

// crashed returns an error if a process that was asked to end had been killed
// in that very moment by somebody else, such as the kernel for want of memory.
func (p *process) crashed() error {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() && status.Signal() != syscall.SIGTERM {
		return p.endedEarly()
	}
	return nil
}

// kill ends the process group at once and returns when it has ended.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}
