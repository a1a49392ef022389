package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// systemdRunning starts the container and waits for systemd's verdict.
func (s *session) systemdRunning(ctx context.Context) result {
	started := s.opts.Clock.Now()
	if err := s.eng.api.ContainerStart(ctx, s.plan.name, container.StartOptions{}); err != nil {
		return fail("the engine cannot start it: %v", err)
	}
	return awaitSystemd(ctx, s.exec, s.opts.Clock, started, s.opts.BootTimeout, s.ended)
}

// awaitSystemd asks systemctl until systemd has reached a final state. ended
// gives the reason when PID 1 is gone, or "".
func awaitSystemd(ctx context.Context, run runner, clock Clock, started time.Time, limit time.Duration, ended func(context.Context) string) result {
	absent := 0
	for {
		left := limit - clock.Now().Sub(started)
		if left <= 0 {
			return fail("not in %s; jobs that are not done:\n%s", limit, commandText(ctx, run, "systemctl", "list-jobs", "--no-pager"))
		}
		out, err := run(ctx, left, "systemctl", "is-system-running", "--wait")
		switch state, _, _ := strings.Cut(strings.TrimSpace(out.text), "\n"); {
		case err == nil && state == "running":
			return pass("after %s", clock.Now().Sub(started).Round(10*time.Millisecond))
		case err == nil && (state == "degraded" || state == "maintenance"):
			return fail("%s\n%s", state, failedUnits(ctx, run))
		case err == nil && neverRan(out):
			absent++
		}
		if why := ended(ctx); why != "" {
			return fail("%s", why)
		}
		// Once is no proof: it is also what the engine says in the moment in
		// which PID 1 has ended and the engine does not know it yet.
		if absent == 3 {
			return fail("systemctl does not run in the image: %s", out.text)
		}
		// In the first instants nobody listens on systemd's socket:
		// "Failed to connect to bus".
		if !errors.Is(err, errTooLong) {
			if err := clock.Sleep(ctx, 100*time.Millisecond); err != nil {
				return fail("%v", err)
			}
		}
	}
}

// neverRan knows the exit codes by which an engine says that the command is
// not there or cannot be executed.
func neverRan(out output) bool { return out.exit == 126 || out.exit == 127 }

// failedUnits tells what is known about each failed unit.
func failedUnits(ctx context.Context, run runner) string {
	const most = 5
	out, err := run(ctx, commandLimit, "systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(out.text), "\n") {
		unit, _, _ := strings.Cut(line, " ")
		if unit == "" {
			continue
		}
		if i == most {
			b.WriteString("and more\n")
			break
		}
		b.WriteString(unitStatus(ctx, run, unit))
	}
	return strings.TrimRight(b.String(), "\n")
}

// unitStatus is systemctl's view of a unit with the end of its journal. The
// journal is asked to catch up first: systemd-journald takes systemd's own
// messages before the services' output, and the reason why a unit failed is in
// the latter. Where journalctl has no --sync (before systemd 228) the journal
// may lack the last lines; nothing else changes.
func unitStatus(ctx context.Context, run runner, unit string) string {
	_, _ = run(ctx, commandLimit, "journalctl", "--sync")
	return commandText(ctx, run, "systemctl", "status", "--no-pager", "--full", "--lines=6", "--", unit) + "\n"
}

// commandLimit is for commands that only ask.
const commandLimit = 10 * time.Second

// commandText runs a command whose output is an explanation: when it fails,
// its failure is the best explanation there is.
func commandText(ctx context.Context, run runner, argv ...string) string {
	out, err := run(ctx, commandLimit, argv...)
	if err != nil {
		return strings.TrimSpace(out.text + "\n" + err.Error())
	}
	return strings.TrimSpace(out.text)
}

// ended tells why the container does not run, or "".
func (s *session) ended(ctx context.Context) string {
	state, err := s.eng.api.ContainerInspect(ctx, s.plan.name)
	switch {
	case err != nil:
		return fmt.Sprintf("asking the engine for the container: %v", err)
	case state.State.Running:
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("PID 1 ended with exit code %d %s\n%s", state.State.ExitCode, state.State.Error, s.log(ctx)))
}

// log gives the end of what PID 1 wrote.
func (s *session) log(ctx context.Context) string {
	r, err := s.eng.api.ContainerLogs(ctx, s.plan.name, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "20"})
	if err != nil {
		return fmt.Sprintf("its output cannot be read: %v", err)
	}
	defer r.Close()
	var text tail
	if _, err := stdcopy.StdCopy(&text, &text, r); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Sprintf("its output cannot be read: %v", err)
	}
	if text.String() == "" {
		return "it wrote nothing"
	}
	return text.String()
}
