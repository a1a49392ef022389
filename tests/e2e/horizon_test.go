package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/builder/portmap/conflict"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// insisted are the TCP ports that UFM and NEO bind and are moved away from.
func insisted() []int {
	return []int{80, 443, 5000, 8000, 8080, 8081, 8082, 8083, 8089, 9001}
}

// watch looks at the host's sockets until the test ends, and fails it if
// anybody but those whose place it is holds a port that UFM or NEO insists on.
func watch(t *testing.T, mayHave func(conflict.Listener) bool) {
	t.Helper()
	var done sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background()) // the test's own ends before its clean-up
	samples := 0
	var known []socket
	done.Go(func() {
		for ctx.Err() == nil {
			// Whose a socket is takes long to find out, so each is asked for once.
			open := slices.DeleteFunc(sockets(t), func(s socket) bool { return !slices.Contains(insisted(), s.port) })
			if !slices.Equal(open, known) {
				strays(t, mayHave)
				known = open
			}
			samples++
			time.Sleep(5 * time.Millisecond)
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
		t.Logf("%d samples of who listens", samples)
		if samples < 100 {
			t.Errorf("only %d samples were taken", samples)
		}
	})
}

func strays(t *testing.T, mayHave func(conflict.Listener) bool) {
	t.Helper()
	listeners, err := conflict.ReadListeners(os.DirFS("/proc"))
	if err != nil {
		t.Error(err)
	}
	for _, l := range listeners {
		if l.Protocol == "tcp" && slices.Contains(insisted(), l.Port) && !mayHave(l) {
			t.Errorf("%s (process %d) listens on port %d of the host", l.Process, l.PID, l.Port)
		}
	}
}

// UFM and NEO run beside a web server on 80 and 443, as Horizon has them on a
// controller, and never touch a port that is not theirs: not at any start, not
// when a container, the engine or a unit is started again.
func TestBesideHorizon(t *testing.T) { //nolint:tparallel // its parts use the same machine
	onMachine(t)
	labtest.Need(t, lab.ApacheTools()...)
	f := newProducts(t)
	// The test's own context ends before its clean-up, and the watch after that.
	horizon, err := lab.StartApache(context.WithoutCancel(t.Context()), t.TempDir(), 80, 443, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := horizon.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	watch(t, func(l conflict.Listener) bool { return l.PID == horizon.PID() })

	if n := f.changed(t); n == 0 {
		t.Error("the first deployment has changed nothing")
	}
	if n := f.changed(t); n != 0 {
		t.Errorf("the second deployment has changed %d things", n)
	}
	answers := func() {
		t.Helper()
		if err := horizon.Answers(t.Context()); err != nil {
			t.Error(err)
		}
		await(t, "https://127.0.0.1:7443/ufmRest/app/ufm_version", `"ufm_release_version"`)
		await(t, "https://127.0.0.1:3443/neo/login", "")
	}
	answers()

	t.Run("guarded", func(t *testing.T) {
		if _, err := get(t.Context(), "http://127.0.0.1:18000/app/ufm_version"); err == nil || !strings.Contains(err.Error(), "operation not permitted") {
			t.Errorf("UFM's REST server lets a process of the host in: %v", err)
		}
		inside := execIn(t, f.Engine, "ib_ufm", "curl", "--silent", "--header", "X-Remote-User: admin", "http://127.0.0.1:8000/app/ufm_version")
		if !strings.Contains(inside, "ufm_release_version") {
			t.Errorf("within UFM its REST server says %q", inside)
		}
	})
	t.Run("units restarted", func(t *testing.T) {
		for range 20 {
			for name, unit := range map[string]string{"ib_ufm": "apache2.service", "ib_neo": "apache2.service"} {
				// More starts in ten seconds than systemd grants (StartLimitBurst).
				if out := execIn(t, f.Engine, name, "sh", "-c", "systemctl reset-failed "+unit+" && systemctl restart "+unit); out != "" {
					t.Fatalf("%s: restarting %s: %s", name, unit, out)
				}
			}
		}
		answers()
	})
	t.Run("containers restarted", func(t *testing.T) {
		const times = 8 // of each of the two
		var both sync.WaitGroup
		for _, name := range []string{"ib_ufm", "ib_neo"} {
			both.Go(func() {
				for range times {
					if err := f.Engine.Client().ContainerRestart(t.Context(), name, container.StopOptions{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
		answers()
	})
	t.Run("engine restarted", func(t *testing.T) {
		if err := f.Engine.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		answers()
	})
	t.Run("agent away", func(t *testing.T) {
		// What it attached outlives it.
		agent := "/usr/local/libexec/ibforge/ibforge-portmap"
		if err := os.Rename(agent, agent+".away"); err != nil {
			t.Fatal(err)
		}
		if err := f.Engine.Client().ContainerRestart(t.Context(), "ib_neo", container.StopOptions{}); err != nil {
			t.Error(err)
		}
		if err := os.Rename(agent+".away", agent); err != nil {
			t.Error(err)
		}
		answers()
	})
	t.Run("hooks gone", func(t *testing.T) { f.hooksGone(t, horizon) })
}

// hooksGone takes the hooks away, as a reboot does, and starts the container as
// an engine does that nobody told: nothing may listen where Horizon does.
func (f products) hooksGone(t *testing.T, horizon *lab.Apache) {
	t.Helper()
	agent := filepath.Join(f.root, "bin/ibforge-portmap")
	stop := 30
	if err := f.Engine.Client().ContainerStop(t.Context(), "ib_ufm", container.StopOptions{Timeout: &stop}); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), agent, "detach", "ib_ufm").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := f.Engine.Client().ContainerStart(t.Context(), "ib_ufm", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "UFM's unit to fail", func() bool {
		return strings.HasPrefix(execIn(t, f.Engine, "ib_ufm", "systemctl", "is-failed", "ufm-enterprise.service"), "failed")
	})
	if err := horizon.Answers(t.Context()); err != nil {
		t.Error(err)
	}
	r, _ := f.deploy(t, "--action", "check")
	if r.code != 1 || !strings.Contains(r.stderr+r.stdout, "socket hooks are not in force") {
		t.Error(r)
	}
	f.changed(t) // and a deployment mends it
	await(t, "https://127.0.0.1:7443/ufmRest/app/ufm_version", `"ufm_release_version"`)
}

// await asks until an address answers with a text: services start one after
// the other.
func await(t *testing.T, url, want string) {
	t.Helper()
	waitFor(t, url, func() bool {
		body, err := get(t.Context(), url)
		return err == nil && strings.Contains(body, want)
	})
}

// get asks as the administrator, and takes any certificate.
func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	req.SetBasicAuth("admin", site.AdminPassword)
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it signs itself
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), nil
}
