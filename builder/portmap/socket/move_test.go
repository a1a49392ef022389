package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// at gives an address with a port.
func at(addr string, port int) string {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port)).String() //nolint:gosec // a port
}

// family is a way to bind, and those to connect that reach it from inside.
type family struct {
	name    string
	suffix  string // of the network: 4 or 6
	bind    string
	options []string
	// kernel is how /proc/net shows the bound address.
	kernel string
	// reach is the client's suffix and the address that it connects to.
	reach [][2]string
}

const (
	any6   = "00000000000000000000000000000000"
	local6 = "00000000000000000000000001000000"
)

func families() []family {
	return []family{
		{"any4", "4", "0.0.0.0", nil, " 00000000", [][2]string{
			{"4", "127.0.0.1"}, {"4", "127.9.9.9"}, {"4", "0.0.0.0"}, {"6", "::ffff:127.0.0.1"}, {"6", "::ffff:0.0.0.0"}}},
		{"loopback4", "4", "127.0.0.1", nil, " 0100007F", [][2]string{{"4", "127.0.0.1"}, {"4", "0.0.0.0"}}},
		{"any6", "6", "::", []string{"v6only=1"}, "6 " + any6, [][2]string{{"6", "::1"}, {"6", "::"}}},
		{"loopback6", "6", "::1", []string{"v6only=1"}, "6 " + local6, [][2]string{{"6", "::1"}, {"6", "::"}}},
		{"dual", "6", "::", []string{"v6only=0"}, "6 " + any6, [][2]string{
			{"4", "127.0.0.1"}, {"4", "0.0.0.0"}, {"6", "::1"}, {"6", "::"}, {"6", "::ffff:127.0.0.1"}}},
		{"mapped", "6", "::ffff:127.0.0.1", []string{"v6only=0"}, "6 0000000000000000FFFF00000100007F", [][2]string{
			{"4", "127.0.0.1"}, {"6", "::ffff:127.0.0.1"}}},
		{"reuseport", "4", "0.0.0.0", []string{"reuseport=1"}, " 00000000", [][2]string{{"4", "127.0.0.1"}}},
	}
}

// A service binds the number that it insists on and believes it; the kernel
// holds the other; loopback inside reaches the service; and who owns the number
// outside is reached by everybody else.
func TestMoveTCP(t *testing.T) {
	for _, network := range []string{"tcp", "mptcp"} {
		for _, f := range families() {
			t.Run(network+"/"+f.name, func(t *testing.T) { testMoveTCP(t, network, f) })
		}
	}
}

func testMoveTCP(t *testing.T, network string, f family) {
	b := newBench(t)
	b.needNetwork(network)
	listens, host := b.freePort(), b.freePort()
	b.attach(b.portMap(socketPort("tcp", listens, host)))
	svc, out := b.inside(), b.outside()

	other := out.listening(network+f.suffix, at(f.bind, listens), f.options...)
	l := svc.listening(network+f.suffix, at(f.bind, listens), f.options...)
	if got, want := svc.sockname(l), at(f.bind, listens); got != want {
		t.Errorf("inside, getsockname gives %s, want %s", got, want)
	}
	if got, want := out.sockname(other), at(f.bind, listens); got != want {
		t.Errorf("outside, getsockname gives %s, want %s", got, want)
	}
	wantHeld(t, "tcp", host, 1, f.kernel)
	wantHeld(t, "tcp", listens, 1, f.kernel)

	for _, r := range f.reach {
		network := network + r[0]
		// Inside, the number that the service insists on is the service.
		c := svc.connected(network, at(r[1], listens))
		if got := svc.peername(c); !strings.HasSuffix(got, fmt.Sprint(":", listens)) {
			t.Errorf("%s %s: inside, getpeername gives %s, want port %d", network, r[1], got, listens)
		}
		s, peer := svc.accept(l)
		if peer != mapped(svc.sockname(c), peer) {
			t.Errorf("%s %s: accept gives %s, and the client is %s", network, r[1], peer, svc.sockname(c))
		}
		if got := svc.sockname(s); !strings.HasSuffix(got, fmt.Sprint(":", listens)) {
			t.Errorf("%s %s: the accepted socket is at %s, want port %d", network, r[1], got, listens)
		}
		svc.send(c, "ping")
		if got, _ := svc.recv(s); got != "ping" {
			t.Errorf("%s %s: the service got %q", network, r[1], got)
		}
		svc.closeFD(c)
		svc.closeFD(s)

		// Outside, it is the other's, and the service has the host port.
		o := out.connected(network, at(r[1], listens))
		if got := out.peername(o); !strings.HasSuffix(got, fmt.Sprint(":", listens)) {
			t.Errorf("%s %s: outside, getpeername gives %s, want port %d", network, r[1], got, listens)
		}
		s, _ = out.accept(other)
		out.closeFD(o)
		out.closeFD(s)
		h := out.connected(network, at(r[1], host))
		if got := out.peername(h); !strings.HasSuffix(got, fmt.Sprint(":", host)) {
			t.Errorf("%s %s: outside, getpeername gives %s, want port %d", network, r[1], got, host)
		}
		s, _ = svc.accept(l)
		svc.closeFD(s)
		out.closeFD(h)
	}
}

// mapped gives addr in the form of like: a dual-stack socket sees a client of
// IPv4 as ::ffff:A.
func mapped(addr, like string) string {
	a, b := netip.MustParseAddrPort(addr), netip.MustParseAddrPort(like)
	if b.Addr().Is4In6() && a.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port()).String()
	}
	if a.Addr().Is4In6() && b.Addr().Is4() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
	}
	return addr
}

// wantHeld wants so many sockets of a port in the kernel's tables.
func wantHeld(t *testing.T, protocol string, port, n int, table string) {
	t.Helper()
	got := held(t, protocol, port)
	if len(got) != n || n > 0 && !slices.Contains(got, protocol+table) {
		t.Errorf("the kernel has port %d at %q, want %d with %q", port, got, n, protocol+table)
	}
}

func TestMoveUDP(t *testing.T) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) { testMoveUDP(t, f) })
	}
}

func testMoveUDP(t *testing.T, f family) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	b.attach(b.portMap(socketPort("udp", listens, host)))
	svc, out := b.inside(), b.outside()

	other := out.bound("udp"+f.suffix, at(f.bind, listens), f.options...)
	l := svc.bound("udp"+f.suffix, at(f.bind, listens), f.options...)
	if got, want := svc.sockname(l), at(f.bind, listens); got != want {
		t.Errorf("inside, getsockname gives %s, want %s", got, want)
	}
	wantHeld(t, "udp", host, 1, f.kernel)
	wantHeld(t, "udp", listens, 1, f.kernel)

	for _, r := range f.reach {
		if r[1] == "127.9.9.9" {
			continue // UDP's answer comes from 127.0.0.1, with or without hooks
		}
		network := "udp" + r[0]
		inside := func(what string, connect bool) {
			t.Helper()
			c := svc.socket(network)
			if connect {
				svc.must(call{Op: "connect", FD: c, Addr: at(r[1], listens)})
				if got := svc.peername(c); !strings.HasSuffix(got, fmt.Sprint(":", listens)) {
					t.Errorf("%s %s: getpeername gives %s, want port %d", what, r[1], got, listens)
				}
				svc.send(c, "ping")
			} else {
				svc.sendto(c, "ping", at(r[1], listens))
			}
			data, from := svc.recv(l)
			if data != "ping" {
				t.Errorf("%s %s: the service got %q", what, r[1], data)
			}
			svc.sendto(l, "pong", from)
			if data, from := svc.recv(c); data != "pong" || !strings.HasSuffix(from, fmt.Sprint(":", listens)) {
				t.Errorf("%s %s: the client got %q from %s, want port %d", what, r[1], data, from, listens)
			}
			svc.closeFD(c)
		}
		inside("connected "+network, true)
		inside("unconnected "+network, false)

		// Outside, both ways, from the host port to whom it belongs.
		for number, server := range map[int]*actor{listens: out, host: svc} {
			fd := map[int]int{listens: other, host: l}[number]
			c := out.socket(network)
			out.sendto(c, "ping", at(r[1], number))
			_, from := server.recv(fd)
			server.sendto(fd, "pong", from)
			if data, from := out.recv(c); data != "pong" || !strings.HasSuffix(from, fmt.Sprint(":", number)) {
				t.Errorf("outside %s %s: got %q from %s, want port %d", network, r[1], data, from, number)
			}
			out.closeFD(c)
		}
	}
}

// Two sockets share the moved port, as workers of one service do, and outside
// of the service nothing changes about who may share.
func TestReusePort(t *testing.T) {
	b := newBench(t)
	listens, host := b.freePort(), b.freePort()
	b.attach(b.portMap(socketPort("tcp", listens, host)))
	one, two := b.inside(), b.inside()
	one.listening("tcp4", at("0.0.0.0", listens), "reuseport=1")
	two.listening("tcp4", at("0.0.0.0", listens), "reuseport=1")
	wantHeld(t, "tcp", host, 2, " 00000000")
	wantHeld(t, "tcp", listens, 0, "")
	if err := two.tryBind("tcp4", at("0.0.0.0", listens)); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a bind without SO_REUSEPORT: %v, want EADDRINUSE", err)
	}
}

// What the map does not name is left alone: port 0, other numbers, the same
// number of the other protocol, and addresses that are not loopback.
func TestUntouched(t *testing.T) {
	b := newBench(t)
	listens, host, free := b.freePort(), b.freePort(), b.freePort()
	b.attach(b.portMap(socketPort("tcp", listens, host)))
	svc, out := b.inside(), b.outside()
	for _, network := range []string{"tcp4", "udp4", "tcp6", "udp6"} {
		unspecified := map[string]string{"4": "0.0.0.0", "6": "::"}[network[3:]]
		fd := svc.bound(network, at(unspecified, 0))
		got := netip.MustParseAddrPort(svc.sockname(fd)).Port()
		if got == 0 || int(got) == listens || int(got) == host {
			t.Errorf("%s: port 0 became %d", network, got)
		}
		svc.closeFD(fd)
		fd = svc.listening(network, at(unspecified, free))
		wantHeld(t, network[:3], free, 1, map[string]string{"4": " 00000000", "6": "6 " + any6}[network[3:]])
		svc.closeFD(fd)
	}
	fd := svc.bound("udp4", at("0.0.0.0", listens))
	wantHeld(t, "udp", listens, 1, " 00000000")
	svc.closeFD(fd)

	// A remote server on the number that the service insists on, stood in for by
	// an address of this host that is not loopback.
	addr := ownAddress(t)
	l := out.listening("tcp4", at(addr, listens))
	c := svc.connected("tcp4", at(addr, listens))
	if got, want := svc.peername(c), at(addr, listens); got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
	if s, _ := out.accept(l); s == 0 {
		t.Error("not accepted")
	}
}

// Two services on one host each have their own map.
func TestTwoServices(t *testing.T) {
	a, b := newBench(t), newBench(t)
	b.o.PinRoot = a.o.PinRoot
	listens, hostA, hostB := a.freePort(), a.freePort(), a.freePort()
	a.attach(a.portMap(socketPort("tcp", listens, hostA)))
	m := b.portMap(socketPort("tcp", listens, hostB))
	m.Service = "svc.two"
	b.attach(m)
	one, two := a.inside(), b.inside()
	la := one.listening("tcp4", at("127.0.0.1", listens))
	lb := two.listening("tcp4", at("127.0.0.1", listens))
	wantHeld(t, "tcp", hostA, 1, " 0100007F")
	wantHeld(t, "tcp", hostB, 1, " 0100007F")
	wantHeld(t, "tcp", listens, 0, "")
	for _, s := range []struct {
		*actor
		fd, otherHost int
	}{{one, la, hostB}, {two, lb, hostA}} {
		c := s.connected("tcp4", at("127.0.0.1", listens))
		s.accept(s.fd)
		if got, want := s.peername(c), at("127.0.0.1", listens); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		// The other one's host port is just a port.
		c = s.connected("tcp4", at("127.0.0.1", s.otherHost))
		if got, want := s.peername(c), at("127.0.0.1", s.otherHost); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if states, err := List(a.o); err != nil || len(states) != 2 || states[1].Service != "svc.two" || len(states[0].Faults)+len(states[1].Faults) > 0 || !states[0].Running {
		t.Errorf("got %+v, %v", states, err)
	}
}
