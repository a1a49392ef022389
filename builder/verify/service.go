package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/builder/contract"
)

func (s *session) health(ctx context.Context) result {
	if s.img.Contract.Health == nil {
		return skip("the contract has no health check")
	}
	return awaitHealth(ctx, s.exec, s.opts.Clock, *s.img.Contract.Health)
}

// awaitHealth runs the health command itself, once a second: the engine would
// run it at the contract's interval only, half a minute apart. A service gets
// as long as the engine would give it before calling it unhealthy.
func awaitHealth(ctx context.Context, run runner, clock Clock, h contract.Health) result {
	limit := time.Duration(h.StartPeriodSeconds+h.Retries*h.IntervalSeconds) * time.Second
	timeout := time.Duration(h.TimeoutSeconds) * time.Second
	started := clock.Now()
	for tries := 1; ; tries++ {
		out, err := run(ctx, timeout, h.Command...)
		took := clock.Now().Sub(started)
		if err == nil && out.exit == 0 {
			return pass("at try %d, after %s", tries, took.Round(10*time.Millisecond))
		}
		last := fmt.Sprintf("exit code %d", out.exit)
		if errors.Is(err, errTooLong) {
			last = fmt.Sprintf("it did not end in %s", timeout)
		} else if err != nil {
			last = err.Error()
		}
		if took >= limit || (err == nil && neverRan(out)) {
			return fail("not in %s (start period and %d intervals), %d tries; at the last: %s\n%s", limit, h.Retries, tries, last, out.text)
		}
		if err := clock.Sleep(ctx, time.Second); err != nil {
			return fail("%v", err)
		}
	}
}

// settle is how long units are left alone before they are looked at. "running"
// says that they were started, which one that ends at once was as well.
const settle = 2 * time.Second

func (s *session) unitsActive(ctx context.Context) result {
	if err := s.opts.Clock.Sleep(ctx, settle); err != nil {
		return fail("%v", err)
	}
	return compareUnits(ctx, s.exec, s.img.Contract.Units)
}

// compareUnits wants every unit active and never restarted: one that fails and
// is started again every second is active most of the time, and systemd calls
// the system "running" meanwhile.
func compareUnits(ctx context.Context, run runner, units []string) result {
	var faults []string
	for _, unit := range units {
		out, err := run(ctx, commandLimit, "systemctl", "show", "--property=LoadState,ActiveState,SubState,NRestarts", "--", unit)
		if err != nil {
			return fail("%v", err)
		}
		p := properties(out.text)
		restarts := p["NRestarts"]
		switch {
		case p["LoadState"] == "not-found":
			faults = append(faults, fmt.Sprintf("%s: the image has no such unit", unit))
		case p["ActiveState"] != "active":
			faults = append(faults, fmt.Sprintf("%s: %s (%s)\n%s", unit, p["ActiveState"], p["SubState"], unitStatus(ctx, run, unit)))
		case restarts != "" && restarts != "0":
			faults = append(faults, fmt.Sprintf("%s: active, but restarted %s times since the start\n%s", unit, restarts, unitStatus(ctx, run, unit)))
		}
	}
	// Without --wait: the boot is over, this is about what came after.
	out, err := run(ctx, commandLimit, "systemctl", "is-system-running")
	if err != nil {
		return fail("%v", err)
	}
	if state := strings.TrimSpace(out.text); state != "running" {
		faults = append(faults, fmt.Sprintf("systemd was \"running\" and now is %q\n%s", state, failedUnits(ctx, run)))
	}
	if len(faults) > 0 {
		return fail("%s", strings.Join(faults, "\n"))
	}
	if len(units) == 0 {
		return pass("the contract names none")
	}
	return pass("%s", strings.Join(units, ", "))
}

// properties reads the lines NAME=VALUE of systemctl show.
func properties(text string) map[string]string {
	p := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			p[name] = strings.TrimSpace(value)
		}
	}
	return p
}

func (s *session) stop(ctx context.Context) result {
	seconds := s.img.Contract.Stop.TimeoutSeconds
	started := s.opts.Clock.Now()
	// The signal is the container's StopSignal, which is the contract's.
	if err := s.eng.api.ContainerStop(ctx, s.plan.name, container.StopOptions{Timeout: &seconds}); err != nil {
		return fail("the engine cannot stop it: %v", err)
	}
	took := s.opts.Clock.Now().Sub(started)
	have, err := s.eng.api.ContainerInspect(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for the container: %v", err)
	}
	return compareStop(have.State, s.img.Contract.Stop, took)
}

// compareStop wants an orderly end. 137 is 128+SIGKILL: the engine's patience
// ended. Beside units, what the engine itself runs in the container can cause
// that: its parent is outside, so PID 1 gets no SIGCHLD when it dies, and
// systemd-shutdown may sleep on for DefaultTimeoutStopSec, 90 s unless set.
func compareStop(state *container.State, want contract.Stop, took time.Duration) result {
	took = took.Round(10 * time.Millisecond)
	switch {
	case state.Running:
		return fail("still running after %s", took)
	case state.OOMKilled:
		return fail("the kernel killed it for want of memory, exit code %d", state.ExitCode)
	case state.ExitCode == 137:
		return fail("not stopped %d s after %s, so the engine sent SIGKILL: see TimeoutStopSec of the units, and set DefaultTimeoutStopSec in systemd-system.conf(5) "+
			"to less: so long systemd-shutdown waits for a health command that happens to run", want.TimeoutSeconds, want.Signal)
	case state.ExitCode != 0:
		return fail("exit code %d after %s", state.ExitCode, took)
	}
	return pass("after %s", took)
}
