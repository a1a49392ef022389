package socket

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

// ownAddress gives an IPv4 address of this host that is not loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this host has no IPv4 address but loopback")
	return ""
}

func guardedOn(address string, p contract.Port) contract.Port {
	p.Address, p.Guarded = address, true
	return p
}

// Only the service's own processes, and those of cgroups below, connect to a
// guarded port, by whatever name loopback goes.
func TestGuardLoopback(t *testing.T) {
	for _, c := range []struct{ network, bind string }{{"tcp", "127.0.0.1"}, {"tcp", "::1"}, {"mptcp", "127.0.0.1"}, {"mptcp", "::1"}} {
		t.Run(c.network+" "+c.bind, func(t *testing.T) {
			b := newBench(t)
			b.needNetwork(c.network)
			listens, host := b.freePort(), b.freePort()
			b.attach(b.portMap(guardedOn("loopback", socketPort("tcp", listens, host))))
			svc, below, out := b.inside(), b.inside("sub", "deep"), b.outside()
			family, targets := "4", [][2]string{{"4", "127.0.0.1"}, {"4", "0.0.0.0"}, {"6", "::ffff:127.0.0.1"}, {"6", "::ffff:0.0.0.0"}}
			if c.bind == "::1" {
				family, targets = "6", [][2]string{{"6", "::1"}, {"6", "::"}}
			}
			l := svc.listening(c.network+family, at(c.bind, listens))
			for _, to := range targets {
				network := c.network + to[0]
				for _, from := range []*actor{svc, below} {
					from.connected(network, at(to[1], listens))
					svc.accept(l)
					from.connected(network, at(to[1], host))
					svc.accept(l)
				}
				if err := out.tryConnect(network, at(to[1], host)); !errors.Is(err, unix.EPERM) {
					t.Errorf("outside, connect to %s: %v, want EPERM", at(to[1], host), err)
				}
				// TCP Fast Open connects by sendto(2).
				fd := out.socket(network)
				if err := out.errno(call{Op: "sendto", FD: fd, Text: "x", Addr: at(to[1], host), Num: unix.MSG_FASTOPEN}); !errors.Is(err, unix.EPERM) {
					t.Errorf("outside, sendto with MSG_FASTOPEN to %s: %v, want EPERM", at(to[1], host), err)
				}
				out.closeFD(fd)
			}
			// The same number elsewhere is somebody else's.
			addr := ownAddress(t)
			out.listening("tcp4", at(addr, host))
			out.connected("tcp4", at(addr, host))
		})
	}
}

func TestGuardUDP(t *testing.T) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	b.attach(b.portMap(guardedOn("loopback", socketPort("udp", listens, host))))
	svc, out := b.inside(), b.outside()
	for _, c := range []struct{ network, bind string }{{"udp4", "127.0.0.1"}, {"udp6", "::1"}, {"udp6", "::ffff:127.0.0.1"}} {
		l := svc.bound(c.network, at(c.bind, listens))
		s := svc.socket(c.network)
		svc.sendto(s, "in", at(c.bind, listens))
		if got, _ := svc.recv(l); got != "in" {
			t.Errorf("%s: got %q", c.bind, got)
		}
		fd := out.socket(c.network)
		if err := out.errno(call{Op: "sendto", FD: fd, Text: "out", Addr: at(c.bind, host)}); !errors.Is(err, unix.EPERM) {
			t.Errorf("outside, sendto %s: %v, want EPERM", c.bind, err)
		}
		if err := out.tryConnect(c.network, at(c.bind, host)); !errors.Is(err, unix.EPERM) {
			t.Errorf("outside, connect to %s: %v, want EPERM", c.bind, err)
		}
		svc.closeFD(l)
	}
	// A socket of IPv6 takes an address of IPv4 as well, and then goes by
	// another hook.
	fd := out.socket("udp6")
	if err := out.errno(call{Op: "sendto", FD: fd, Text: "out", Addr: at("127.0.0.1", host)}); !errors.Is(err, unix.EPERM) {
		t.Errorf("sendto AF_INET on AF_INET6: %v, want EPERM", err)
	}
	if err := out.errno(call{Op: "connect", FD: fd, Addr: at("127.0.0.1", host)}); !errors.Is(err, unix.EPERM) {
		t.Errorf("connect AF_INET on AF_INET6: %v, want EPERM", err)
	}
}

// A port on any address is guarded on any destination; one that is not moved
// or moved by its files as well.
func TestGuardAny(t *testing.T) {
	for _, via := range []string{contract.ViaNone, contract.ViaConfig, contract.ViaSocket} {
		t.Run(via, func(t *testing.T) {
			b := newBench(t)
			listens, host := b.freePort(), b.freePort()
			p := guardedOn("any", socketPort("tcp", listens, host))
			p.Via = via
			bind := host // as the rewritten files say
			switch via {
			case contract.ViaNone:
				p.Host, bind, host = listens, listens, listens
			case contract.ViaConfig:
				p.Rewrites = []contract.Rewrite{{Path: "/etc/x", Match: "^{port}$", Count: 1}}
			case contract.ViaSocket:
				bind = listens
			}
			b.attach(b.portMap(p))
			svc, out := b.inside(), b.outside()
			l := svc.listening("tcp6", at("::", bind), "v6only=0")
			wantHeld(t, "tcp", host, 1, "6 "+any6)
			for _, to := range []string{"127.0.0.1", ownAddress(t)} {
				svc.connected("tcp4", at(to, host))
				svc.accept(l)
				if err := out.tryConnect("tcp4", at(to, host)); !errors.Is(err, unix.EPERM) {
					t.Errorf("outside, connect to %s: %v, want EPERM", to, err)
				}
			}
		})
	}
}

// Neither the cgroup above the service's nor one beside it is the service's.
func TestGuardDeep(t *testing.T) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	m := b.portMap(guardedOn("loopback", socketPort("tcp", listens, host)))
	m.Cgroup += "/slice/svc"
	b.attach(m)
	svc, below := b.inside("slice", "svc"), b.inside("slice", "svc", "below")
	l := svc.listening("tcp4", at("127.0.0.1", listens))
	for _, a := range []*actor{svc, below} {
		a.connected("tcp4", at("127.0.0.1", host))
		svc.accept(l)
	}
	for _, a := range []*actor{b.inside(), b.inside("slice"), b.inside("slice", "svc2"), b.outside()} {
		if err := a.tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.EPERM) {
			t.Errorf("got %v, want EPERM", err)
		}
	}
}

// Loopback of another network namespace is another place.
func TestGuardNetns(t *testing.T) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	b.attach(b.portMap(guardedOn("loopback", socketPort("tcp", listens, host))))
	apart := startActor(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	// Its loopback is down: the guard would say EPERM, and says nothing.
	if err := apart.tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("connect in another network namespace: %v, want ENETUNREACH", err)
	}
}

// The guard comes and goes with the map.
func TestGuardGoes(t *testing.T) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	m := b.portMap(guardedOn("any", socketPort("tcp", listens, host)))
	b.attach(m)
	out := b.outside()
	if err := out.tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.EPERM) {
		t.Errorf("guarded: %v, want EPERM", err)
	}
	m.Ports[0].Guarded = false
	if r := b.attach(m); r.Did != DidUpdate {
		t.Errorf("did %q, want %q", r.Did, DidUpdate)
	}
	if err := out.tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("no longer guarded: %v, want ECONNREFUSED", err)
	}
	m.Ports[0].Guarded = true
	b.attach(m)
	if err := out.tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.EPERM) {
		t.Errorf("guarded again: %v, want EPERM", err)
	}
	if err := Detach(m.Service, b.o); err != nil {
		t.Fatal(err)
	}
	if err := out.tryConnect("tcp4", at("127.0.0.1", host)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("detached: %v, want ECONNREFUSED", err)
	}
}
