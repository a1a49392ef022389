package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// What a killed process has attached stays, and what it has begun is completed.
func TestAgentKilled(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443), guardedOn("any", socketPort("udp", 443, 18443)))
	agent := startActor(t, nil)
	agent.must(call{Op: "attach", Map: &m, Opts: b.o})
	agent.stop()
	b.check(m)

	want := programs(t, b.dir())
	for range 20 {
		agent := startActor(t, nil)
		agent.must(call{Op: "toggle", Map: &m, Opts: b.o})
		time.Sleep(rand.N(15 * time.Millisecond)) //nolint:gosec // anywhere will do
		_ = agent.process.Kill()
		if state, err := agent.process.Wait(); err != nil || state.Exited() {
			t.Fatalf("the agent ended before it was killed: %v, %v", state, err)
		}
		b.attach(m)
		b.check(m)
		// A link that it had not pinned yet ends some time after its end; until
		// then it does the same twice, which is the same.
		deadline := time.Now().Add(20 * time.Second)
		got := programs(t, b.dir())
		for !maps.Equal(got, want) && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
			got = programs(t, b.dir())
		}
		if !maps.Equal(got, want) {
			t.Errorf("attached: %v, want %v", got, want)
		}
	}
}

// Of many at once, in one process and in several, one does the work and the
// others find it done.
func TestAtOnce(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443), guardedOn("any", socketPort("udp", 443, 18443)))
	others := []*actor{startActor(t, nil), startActor(t, nil), startActor(t, nil), startActor(t, nil)}
	const own, rounds = 8, 20
	for range rounds {
		var wg sync.WaitGroup
		did := make(chan string, own+len(others))
		for range own {
			wg.Go(func() {
				r, err := Attach(m, b.o)
				if err != nil {
					t.Error(err)
				}
				did <- r.Did
			})
		}
		for _, a := range others {
			wg.Go(func() { did <- a.call(call{Op: "attach", Map: &m, Opts: b.o}).Text })
		}
		wg.Wait()
		close(did)
		count := map[string]int{}
		for d := range did {
			count[d]++
		}
		if want := map[string]int{DidAttach: 1, DidNothing: own + len(others) - 1}; !maps.Equal(count, want) {
			t.Errorf("got %v, want %v", count, want)
		}
		for hook, n := range programs(t, b.dir()) {
			if n != 1 {
				t.Errorf("%s is attached %d times", hook, n)
			}
		}
		b.check(m)
		if err := Detach(m.Service, b.o); err != nil {
			t.Fatal(err)
		}
	}
}

// block puts something that is no link into the place of a pin.
func (b *bench) block(hook string) {
	b.Helper()
	dir := filepath.Join(b.o.PinRoot, "svc")
	if err := errors.Join(os.MkdirAll(dir, 0o700), removeIfThere(filepath.Join(dir, hook))); err != nil {
		b.Fatal(err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if err := m.Pin(filepath.Join(dir, hook)); err != nil {
		b.Fatal(err)
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// A new service of which one hook fails gets none.
func TestHalfAttached(t *testing.T) {
	for _, hook := range []string{"bind4", "getsockname6", "guard6"} {
		b := newBench(t)
		host := b.freePort()
		m := b.portMap(guardedOn("any", socketPort("tcp", b.freePort(), host)))
		b.block(hook)
		if _, err := Attach(m, b.o); err == nil || !strings.Contains(err.Error(), hook) {
			t.Fatalf("with %s in the way: %v", hook, err)
		}
		if _, err := os.Stat(b.dir()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the cgroup is still there: %v", hook, err)
		}
		if pins, _ := filepath.Glob(b.o.PinRoot + "/*/*"); len(pins) != 1 {
			t.Errorf("%s: still pinned: %v", hook, pins)
		}
		// It is seen, without hiding others.
		states, err := List(b.o)
		if err != nil || len(states) != 1 || states[0].Map != nil || !strings.Contains(states[0].Faults[0], "port map is missing") {
			t.Errorf("%s: list: %+v, %v", hook, states, err)
		}
		if err := b.outside().tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("%s: the guard is still there: %v", hook, err)
		}
		// Detach is the cure that the error names.
		if err := Detach("svc", b.o); err != nil {
			t.Error(err)
		}
		b.attach(m)
		b.check(m)
	}
}

// A service in force of which one hook cannot be replaced keeps its map.
func TestHalfUpdated(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443))
	b.attach(m)
	b.block("bind6")
	if _, err := Attach(b.portMap(socketPort("tcp", 443, 18444), socketPort("udp", 443, 18444)), b.o); err == nil {
		t.Fatal("attached")
	}
	if states, err := List(b.o); err != nil || len(states) != 1 || !strings.Contains(fmt.Sprint(states[0].Faults), "reading "+b.o.PinRoot+"/svc/bind6") {
		t.Errorf("got %+v, %v", states, err)
	}
	if err := os.Remove(filepath.Join(b.o.PinRoot, "svc", "bind6")); err != nil {
		t.Fatal(err)
	}
	err := Check(m, b.o)
	want := fmt.Sprintf("the port map of svc is %v: hook bind6 is not attached; cure: attach it", ErrNotInForce)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	states, err := List(b.o)
	if err != nil || len(states) != 1 || states[0].Map.Ports[0].Host != 18443 || len(states[0].Map.Ports) != 1 {
		t.Errorf("got %+v, %v", states, err)
	}
}
