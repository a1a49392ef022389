package socket

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

func sentinel(m contract.PortMap) string {
	return at(portmap.SentinelAddress, int(portmap.SentinelPort(m.Ports)))
}

// wantSentinel asks as the gate in the image does.
func wantSentinel(t *testing.T, a *actor, m contract.PortMap, want error) {
	t.Helper()
	if err := a.tryBind("udp4", sentinel(m)); !errors.Is(err, want) {
		t.Errorf("bind of the sentinel %s: %v, want %v", sentinel(m), err, want)
	}
}

func (b *bench) check(m contract.PortMap) {
	b.Helper()
	if err := Check(m, b.o); err != nil {
		b.Error(err)
	}
}

func TestSentinel(t *testing.T) {
	for _, p := range []contract.Port{
		socketPort("tcp", 443, 18443),
		socketPort("udp", 443, 18443),
		{Name: "p", Protocol: "tcp", Address: "loopback", Listens: 8000, Host: 8000, Via: contract.ViaNone, Unit: "x.service", Guarded: true},
	} {
		b := newBench(t)
		m := b.portMap(p)
		svc, out := b.inside(), b.outside()
		wantSentinel(t, svc, m, nil)
		b.attach(m)
		wantSentinel(t, svc, m, unix.EPERM)
		wantSentinel(t, b.inside("below"), m, unix.EPERM)
		wantSentinel(t, out, m, nil)
		if err := svc.tryBind("udp4", at("127.86.66.71", int(portmap.SentinelPort(m.Ports)))); err != nil {
			t.Errorf("the address beside the sentinel's: %v", err)
		}
		if err := svc.tryBind("tcp4", sentinel(m)); err != nil {
			t.Errorf("the sentinel in TCP: %v", err)
		}
		next := b.portMap(p, socketPort("tcp", 444, 18444))
		wantSentinel(t, svc, next, nil)
		b.attach(next)
		wantSentinel(t, svc, next, unix.EPERM)
		wantSentinel(t, svc, m, nil)
		if err := Detach(m.Service, b.o); err != nil {
			t.Fatal(err)
		}
		wantSentinel(t, svc, next, nil)
	}
}

// The whole life: attached, unchanged, changed, detached.
func TestLife(t *testing.T) {
	b := newBench(t)
	listens, host, host2 := b.freePort(), b.freePort(), b.freePort()
	m := b.portMap(socketPort("tcp", listens, host), guardedOn("loopback", socketPort("udp", listens, host)))
	if err := Check(m, b.o); !errors.Is(err, ErrNotInForce) {
		t.Errorf("check before attach: %v", err)
	}
	if states, err := List(b.o); err != nil || len(states) != 0 {
		t.Errorf("list before attach: %+v, %v", states, err)
	}
	if err := Detach(m.Service, b.o); err != nil {
		t.Errorf("detach before attach: %v", err)
	}

	want := Result{Did: DidAttach, Changed: true, Hooks: 16, Cgroup: b.dir()}
	if r := b.attach(m); r != want {
		t.Errorf("got %+v, want %+v", r, want)
	}
	b.check(m)
	if r := b.attach(m); r.Changed || r.Did != DidNothing || r.Hooks != 16 {
		t.Errorf("again: got %+v", r)
	}
	if states, err := List(b.o); err != nil || len(states) != 1 || states[0].Service != "svc" || len(states[0].Faults) != 0 ||
		states[0].Running || states[0].Map.Ports[1].Host != host || states[0].Map.Cgroup != b.cgroup {
		t.Errorf("got %+v, %v", states, err)
	}

	next := b.portMap(socketPort("tcp", listens, host2))
	if err := Check(next, b.o); !errors.Is(err, ErrNotInForce) || !strings.Contains(err.Error(), "hook bind6 has another map") ||
		!strings.Contains(err.Error(), "hook guard4 is in force, and the map does not need it") {
		t.Errorf("check of another map: %v", err)
	}
	svc := b.inside()
	old := svc.listening("tcp4", at("0.0.0.0", listens))
	if r := b.attach(next); r.Did != DidUpdate || r.Hooks != 8 {
		t.Errorf("got %+v", r)
	}
	b.check(next)
	svc.listening("tcp4", at("0.0.0.0", listens))
	wantHeld(t, "tcp", host, 1, " 00000000") // as it was bound
	wantHeld(t, "tcp", host2, 1, " 00000000")
	wantHeld(t, "tcp", listens, 0, "")
	if got := svc.sockname(old); got != at("0.0.0.0", host) {
		t.Errorf("a socket of the old map is at %s", got)
	}

	// A map that needs no hooks.
	none := next
	none.Ports = []contract.Port{{Name: "p", Protocol: "tcp", Address: "any", Listens: 443, Host: 443, Via: contract.ViaNone}}
	if err := Check(none, b.o); !errors.Is(err, ErrNotInForce) {
		t.Errorf("check of a map without hooks: %v", err)
	}
	if r := b.attach(none); r != (Result{Did: DidDetach, Changed: true}) {
		t.Errorf("got %+v", r)
	}
	if r := b.attach(none); r != (Result{Did: DidNothing}) {
		t.Errorf("got %+v", r)
	}
	b.check(none)
	wantNothing(b)
}

// wantNothing wants no program on the service's cgroup and no pin.
func wantNothing(b *bench) {
	b.Helper()
	if got := programs(b.TB, b.dir()); len(got) != 0 {
		b.Errorf("still attached: %v", got)
	}
	if pins, err := filepath.Glob(b.o.PinRoot + "/*/*"); err != nil || len(pins) > 0 {
		b.Errorf("still pinned: %v %v", pins, err)
	}
}

// While the map changes to and fro, no bind lands on the raw number (which
// another process holds, so that it would fail) or fails, and no connection
// passes the guard.
func TestUpdateHasNoGap(t *testing.T) {
	b := newBench(t)
	listens, guardHost := b.freePort(), b.freePort()
	hosts := []int{b.freePort(), b.freePort()}
	guard := guardedOn("loopback", socketPort("tcp", b.freePort(), guardHost))
	maps := make([]contract.PortMap, 2)
	for i, host := range hosts {
		maps[i] = b.portMap(socketPort("tcp", listens, host), socketPort("udp", listens, host), guard)
		if i == 1 { // another program for the guard, and other hooks
			other := guardedOn("any", socketPort("tcp", b.freePort(), b.freePort()))
			maps[i].Ports = append(maps[i].Ports, other)
		}
	}
	b.attach(maps[0])
	out := b.outside()
	for _, network := range []string{"tcp", "udp"} {
		out.listening(network+"6", at("::", listens), "v6only=0")
	}
	server := b.inside()
	server.listening("tcp4", at("127.0.0.1", guard.Listens))
	hammers := map[*actor]call{
		b.inside():         {Op: "hammer", Text: "bind tcp4", Addr: at("0.0.0.0", listens)},
		b.inside(""):       {Op: "hammer", Text: "bind udp6", Addr: at("::", listens)},
		startActor(t, nil): {Op: "hammer", Text: "conn tcp4", Addr: at("127.0.0.1", guardHost)},
	}
	for a, q := range hammers {
		a.must(q)
	}
	const updates, calls = 100, 2000
	enough := func() bool {
		for a := range hammers {
			if a.must(call{Op: "count"}).Count < calls {
				return false
			}
		}
		return true
	}
	deadline := time.Now().Add(time.Minute)
	for i := 1; i <= updates || !enough() && time.Now().Before(deadline); i++ {
		if r := b.attach(maps[i%2]); r.Did == DidNothing {
			t.Fatalf("update %d changed nothing", i)
		}
	}
	for a, q := range hammers {
		r := a.call(call{Op: "rest"})
		if r.Errno != 0 {
			t.Errorf("%s: %s, after %d that went well", q.Text, r.Text, r.Count)
		}
		if r.Count < calls {
			t.Errorf("%s: only %d calls", q.Text, r.Count)
		}
	}
}

// A cgroup that was removed takes its links along; one made in its place needs
// new ones, and until then nothing says that it has them.
func TestCgroupMadeAnew(t *testing.T) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	m := b.portMap(guardedOn("loopback", socketPort("tcp", listens, host)))
	b.attach(m)
	for range 3 {
		if err := os.Remove(b.dir()); err != nil {
			t.Fatal(err)
		}
		if err := Check(m, b.o); !errors.Is(err, ErrNotInForce) || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("without the cgroup: %v", err)
		}
		svc := b.inside() // makes it
		if err := Check(m, b.o); !errors.Is(err, ErrNotInForce) || !strings.Contains(err.Error(), "belongs to another cgroup") {
			t.Errorf("in the new cgroup: %v", err)
		}
		wantSentinel(t, svc, m, nil)
		if r := b.attach(m); r.Did != DidAttach {
			t.Errorf("did %q, want %q", r.Did, DidAttach)
		}
		b.check(m)
		wantSentinel(t, svc, m, unix.EPERM)
		l := svc.listening("tcp4", at("127.0.0.1", listens))
		svc.connected("tcp4", at("127.0.0.1", listens)) // the guard knows the new one
		svc.accept(l)
		svc.stop()
	}
}
