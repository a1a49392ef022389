package verify

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/builder/contract"
)

// Recorder answers commands from a table and writes them down. Its clock moves
// by what commands take and by sleeping only.
type Recorder struct {
	now     time.Time
	calls   []string
	answers map[string][]answer
}

// answer is what a command gives; the last one of a list is given for ever.
type answer struct {
	text string
	exit int
	err  error
	took time.Duration
}

func (r *Recorder) Now() time.Time { return r.now }

func (r *Recorder) Sleep(ctx context.Context, d time.Duration) error {
	r.now = r.now.Add(d)
	return ctx.Err()
}

func (r *Recorder) run(_ context.Context, limit time.Duration, argv ...string) (output, error) {
	line := strings.Join(argv, " ")
	r.calls = append(r.calls, line)
	list := r.answers[line]
	if len(list) == 0 {
		return output{}, errors.New("no answer to " + line)
	}
	a := list[0]
	if len(list) > 1 {
		r.answers[line] = list[1:]
	}
	if limit > 0 && a.took > limit {
		r.now = r.now.Add(limit)
		return output{}, errTooLong
	}
	r.now = r.now.Add(a.took)
	return output{exit: a.exit, text: a.text}, a.err
}

const wait = "systemctl is-system-running --wait"

func TestAwaitSystemd(t *testing.T) {
	noBus := answer{text: "Failed to connect to bus: No such file or directory\n", exit: 1}
	failed := map[string][]answer{
		"systemctl list-units --failed --plain --no-legend --no-pager": {{text: "a.service loaded failed failed A\nb.socket loaded failed failed B\n"}},
		"systemctl status --no-pager --full --lines=6 -- a.service":    {{text: "a.service: out of luck", exit: 3}},
		"systemctl status --no-pager --full --lines=6 -- b.socket":     {{text: "b.socket: in use", exit: 3}},
		"systemctl list-jobs --no-pager":                               {{text: "7 slow.service start running"}},
	}
	for _, tc := range []struct {
		name  string
		wait  []answer
		ended string
		want  result
	}{
		{"at once", []answer{{text: "running\n", took: time.Second}}, "", pass("after 1s")},
		{"nobody listens yet", []answer{noBus, noBus, {text: "running\n"}}, "", pass("after 200ms")},
		{"degraded", []answer{{text: "degraded\n", exit: 1}}, "", fail("degraded\na.service: out of luck\nb.socket: in use")},
		{"hangs", []answer{{took: time.Hour}}, "", fail("not in 10s; jobs that are not done:\n7 slow.service start running")},
		{"never listens", []answer{noBus}, "", fail("not in 10s; jobs that are not done:\n7 slow.service start running")},
		{"PID 1 is gone", []answer{{err: errors.New("is not running")}}, "PID 1 ended with exit code 255", fail("PID 1 ended with exit code 255")},
		{"PID 1 is just going", []answer{{exit: 126, text: "cannot exec in a stopped state"}}, "PID 1 ended with exit code 4", fail("PID 1 ended with exit code 4")},
		{"once refused", []answer{{exit: 126}, {text: "running\n"}}, "", pass("after 100ms")},
		{"no systemctl", []answer{{exit: 127, text: "systemctl: not found"}}, "", fail("systemctl does not run in the image: systemctl: not found")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &Recorder{answers: map[string][]answer{wait: tc.wait}}
			for k, v := range failed {
				r.answers[k] = v
			}
			got := awaitSystemd(t.Context(), r.run, r, r.now, 10*time.Second, func(context.Context) string { return tc.ended })
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestAwaitHealth(t *testing.T) {
	h := contract.Health{Command: []string{"check"}, IntervalSeconds: 30, TimeoutSeconds: 10, StartPeriodSeconds: 20, Retries: 3}
	for _, tc := range []struct {
		name    string
		answers []answer
		status  Status
		says    string
		calls   int
	}{
		{"at once", []answer{{}}, Pass, "at try 1, after 0s", 1},
		{"at the third try", []answer{{exit: 1}, {exit: 1}, {}}, Pass, "at try 3, after 2s", 3},
		// start period 20 + 3 intervals of 30 s; one try a second, the first at 0.
		{"never", []answer{{exit: 1, text: "no subnet manager"}}, Fail, "not in 1m50s (start period and 3 intervals), 111 tries; at the last: exit code 1\nno subnet manager", 111},
		{"hangs", []answer{{took: time.Hour}}, Fail, "it did not end in 10s", 11},
		{"not there", []answer{{exit: 126, text: "no such file or directory"}}, Fail, "1 tries; at the last: exit code 126", 1},
		{"engine fails", []answer{{err: errors.New("connection lost")}}, Fail, "connection lost", 111},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &Recorder{answers: map[string][]answer{"check": tc.answers}}
			got := awaitHealth(t.Context(), r.run, r, h)
			if got.status != tc.status || !strings.Contains(got.detail, tc.says) || len(r.calls) != tc.calls {
				t.Errorf("got %+v after %d calls, want %s, %q after %d", got, len(r.calls), tc.status, tc.says, tc.calls)
			}
		})
	}
}

func TestCompareUnits(t *testing.T) {
	const show = "systemctl show --property=LoadState,ActiveState,SubState,NRestarts -- a.service"
	const status = "systemctl status --no-pager --full --lines=6 -- a.service"
	for _, tc := range []struct {
		name, show, system string
		status             Status
		says               string
	}{
		{"active", "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=0\n", "running", Pass, "a.service"},
		{"a target has no restarts", "LoadState=loaded\nActiveState=active\nSubState=active\n", "running", Pass, "a.service"},
		{"inactive", "LoadState=loaded\nActiveState=inactive\nSubState=dead\nNRestarts=0\n", "running", Fail, "a.service: inactive (dead)\nits status"},
		{"waits for its restart", "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nNRestarts=4\n", "running", Fail, "activating (auto-restart)"},
		{"restarted", "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=4\n", "running", Fail, "restarted 4 times"},
		{"unknown", "LoadState=not-found\nActiveState=inactive\n", "running", Fail, "the image has no such unit"},
		{"another failed later", "LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=0\n", "degraded", Fail, `now is "degraded"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &Recorder{answers: map[string][]answer{
				show: {{text: tc.show}}, status: {{text: "its status"}}, "systemctl is-system-running": {{text: tc.system + "\n"}},
				"systemctl list-units --failed --plain --no-legend --no-pager": {{text: ""}},
			}}
			got := compareUnits(t.Context(), r.run, []string{"a.service"})
			if got.status != tc.status || !strings.Contains(got.detail, tc.says) {
				t.Errorf("got %+v, want %s with %q", got, tc.status, tc.says)
			}
		})
	}
}

func TestCompareStop(t *testing.T) {
	want := contract.Stop{Signal: "SIGRTMIN+3", TimeoutSeconds: 30}
	for _, tc := range []struct {
		name   string
		state  container.State
		status Status
		says   string
	}{
		{"orderly", container.State{}, Pass, "after 1s"},
		{"killed", container.State{ExitCode: 137}, Fail, "not stopped 30 s after SIGRTMIN+3, so the engine sent SIGKILL"},
		{"out of memory", container.State{ExitCode: 137, OOMKilled: true}, Fail, "want of memory"},
		{"other code", container.State{ExitCode: 130}, Fail, "exit code 130"},
		{"still there", container.State{Running: true}, Fail, "still running"},
	} {
		if got := compareStop(&tc.state, want, time.Second); got.status != tc.status || !strings.Contains(got.detail, tc.says) {
			t.Errorf("%s: got %+v, want %s with %q", tc.name, got, tc.status, tc.says)
		}
	}
}
