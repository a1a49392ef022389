package socket

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// actor is a process of a test, with system calls as methods. Those that a test
// expects to go well fail it if they do not.
type actor struct {
	testing.TB
	call    func(call) reply
	process *os.Process
	stop    func()
}

func (a *actor) must(q call) reply {
	a.Helper()
	r := a.call(q)
	if r.Errno != 0 {
		a.Fatalf("%+v: %s", q, r.Text)
	}
	return r
}

func (a *actor) errno(q call) error {
	if r := a.call(q); r.Errno != 0 {
		return r.Errno
	}
	return nil
}

func (a *actor) socket(network string) int {
	a.Helper()
	return a.must(call{Op: "socket", Text: network}).FD
}

// bound opens a socket and binds it; options are "v6only=0" and the like.
func (a *actor) bound(network, addr string, options ...string) int {
	a.Helper()
	fd := a.socket(network)
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		n, _ := strconv.Atoi(value)
		a.must(call{Op: "setsockopt", FD: fd, Text: name, Num: n})
	}
	a.must(call{Op: "bind", FD: fd, Addr: addr})
	return fd
}

// listening is bound, and for TCP listens.
func (a *actor) listening(network, addr string, options ...string) int {
	a.Helper()
	fd := a.bound(network, addr, options...)
	if !strings.HasPrefix(network, "udp") {
		a.must(call{Op: "listen", FD: fd})
	}
	return fd
}

// tryBind gives bind's error, on a fresh socket.
func (a *actor) tryBind(network, addr string) error {
	a.Helper()
	fd := a.socket(network)
	err := a.errno(call{Op: "bind", FD: fd, Addr: addr})
	a.closeFD(fd)
	return err
}

// tryConnect gives connect's error, on a fresh socket.
func (a *actor) tryConnect(network, addr string) error {
	a.Helper()
	fd := a.socket(network)
	err := a.errno(call{Op: "connect", FD: fd, Addr: addr})
	a.closeFD(fd)
	return err
}

func (a *actor) connected(network, addr string) int {
	a.Helper()
	fd := a.socket(network)
	a.must(call{Op: "connect", FD: fd, Addr: addr})
	return fd
}

func (a *actor) accept(fd int) (accepted int, peer string) {
	a.Helper()
	r := a.must(call{Op: "accept", FD: fd})
	return r.FD, r.Addr
}

func (a *actor) sockname(fd int) string {
	a.Helper()
	return a.must(call{Op: "getsockname", FD: fd}).Addr
}

func (a *actor) peername(fd int) string {
	a.Helper()
	return a.must(call{Op: "getpeername", FD: fd}).Addr
}

func (a *actor) send(fd int, data string) {
	a.Helper()
	a.must(call{Op: "send", FD: fd, Text: data})
}

func (a *actor) sendto(fd int, data, addr string) {
	a.Helper()
	a.must(call{Op: "sendto", FD: fd, Text: data, Addr: addr})
}

func (a *actor) recv(fd int) (data, from string) {
	a.Helper()
	r := a.must(call{Op: "recvfrom", FD: fd})
	return r.Text, r.Addr
}

func (a *actor) closeFD(fd int) {
	a.Helper()
	a.must(call{Op: "close", FD: fd})
}

// held gives the local addresses that the kernel really holds with a port:
// listening ones of TCP, bound ones of UDP, from /proc/net (proc_net(5)).
func held(tb testing.TB, protocol string, port int) []string {
	tb.Helper()
	var out []string
	for _, table := range []string{protocol, protocol + "6"} {
		f, err := os.Open("/proc/net/" + table)
		if err != nil {
			tb.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			const stateListen, stateUDP = "0A", "07"
			if len(fields) < 4 || fields[3] != stateListen && fields[3] != stateUDP {
				continue
			}
			hexAddr, hexPort, _ := strings.Cut(fields[1], ":")
			if n, err := strconv.ParseUint(hexPort, 16, 16); err == nil && int(n) == port {
				out = append(out, table+" "+hexAddr)
			}
		}
		_ = f.Close()
	}
	return out
}
