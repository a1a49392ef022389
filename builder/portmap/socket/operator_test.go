package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

// call is one system call, or something like it, for a process of a test.
type call struct {
	Op   string
	FD   int
	Text string
	Addr string
	Num  int
	Map  *contract.PortMap
	Opts Options
}

type reply struct {
	FD    int
	Text  string
	Addr  string
	Errno syscall.Errno
	Count int
}

// operator does calls, in the process in which it is.
type operator struct {
	mu     sync.Mutex
	fds    []int
	hammer *hammer
}

func newOperator() *operator { return &operator{} }

func (o *operator) closeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, fd := range o.fds {
		_ = unix.Close(fd)
	}
	o.fds = nil
}

func (o *operator) opened(fd int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fds = append(o.fds, fd)
}

func (o *operator) do(q call) reply {
	r, err := o.try(q)
	// Go's own signals interrupt poll(2), whatever SA_RESTART says (signal(7)).
	for errors.Is(err, unix.EINTR) {
		r, err = o.try(q)
	}
	if err != nil {
		r.Text = err.Error()
		if !errors.As(err, &r.Errno) {
			r.Errno = syscall.EINVAL
		}
	}
	return r
}

func (o *operator) try(q call) (r reply, err error) {
	var sa unix.Sockaddr
	switch q.Op {
	case "socket":
		r.FD, err = newSocket(q.Text)
		o.opened(r.FD)
	case "setsockopt":
		names := map[string][2]int{
			"v6only":    {unix.IPPROTO_IPV6, unix.IPV6_V6ONLY},
			"reuseport": {unix.SOL_SOCKET, unix.SO_REUSEPORT},
		}
		err = unix.SetsockoptInt(q.FD, names[q.Text][0], names[q.Text][1], q.Num)
	case "bind":
		err = unix.Bind(q.FD, sockaddr(q.FD, q.Addr))
	case "listen":
		err = unix.Listen(q.FD, 16)
	case "connect":
		err = unix.Connect(q.FD, sockaddr(q.FD, q.Addr))
	case "accept":
		if err = readable(q.FD); err != nil {
			break
		}
		if r.FD, sa, err = unix.Accept(q.FD); err == nil {
			o.opened(r.FD)
		}
		r.Addr = text(sa)
	case "getsockname":
		sa, err = unix.Getsockname(q.FD)
		r.Addr = text(sa)
	case "getpeername":
		sa, err = unix.Getpeername(q.FD)
		r.Addr = text(sa)
	case "send":
		_, err = unix.Write(q.FD, []byte(q.Text))
	case "sendto":
		err = unix.Sendto(q.FD, []byte(q.Text), q.Num, sockaddr(q.FD, q.Addr))
	case "recvfrom":
		if err = readable(q.FD); err != nil {
			break
		}
		buf := make([]byte, 100)
		var n int
		n, sa, err = unix.Recvfrom(q.FD, buf, 0)
		r.Text, r.Addr = string(buf[:max(n, 0)]), text(sa)
	case "close":
		err = unix.Close(q.FD)
		o.mu.Lock()
		o.fds = slices.DeleteFunc(o.fds, func(fd int) bool { return fd == q.FD })
		o.mu.Unlock()
	default:
		return o.tryMore(q)
	}
	return r, err
}

// tryMore does what is no system call.
func (o *operator) tryMore(q call) (r reply, err error) {
	switch q.Op {
	case "attach":
		var res Result
		res, err = Attach(*q.Map, q.Opts)
		r.Text = res.Did
	case "detach":
		err = Detach(q.Text, q.Opts)
	case "toggle": // until it is killed
		go func() {
			for {
				_, err := Attach(*q.Map, q.Opts)
				if err == nil {
					err = Detach(q.Map.Service, q.Opts)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		}()
	case "drop": // all capabilities but those of the mask, for good
		keep := uint32(q.Num) //nolint:gosec // a mask
		data := [2]unix.CapUserData{{Effective: keep, Permitted: keep}}
		err = unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	case "hammer":
		o.hammer = startHammer(q.Text, q.Addr)
	case "count":
		r.Count = int(o.hammer.count.Load())
	case "rest":
		r.Count, err = o.hammer.rest()
	default:
		err = fmt.Errorf("no call %q", q.Op)
	}
	return r, err
}

// readable waits for something to accept or read, but not for ever, so that a
// test which fails does not hang.
func readable(fd int) error {
	const limit = 5000
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, limit) //nolint:gosec // a descriptor
	if err == nil && n == 0 {
		err = unix.ETIMEDOUT
	}
	return err
}

func newSocket(network string) (int, error) {
	domain, kind, protocol := unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP
	if strings.HasSuffix(network, "6") {
		domain = unix.AF_INET6
	}
	switch {
	case strings.HasPrefix(network, "udp"):
		kind, protocol = unix.SOCK_DGRAM, unix.IPPROTO_UDP
	case strings.HasPrefix(network, "mptcp"):
		protocol = unix.IPPROTO_MPTCP
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return 0, err
	}
	return fd, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
}

// sockaddr gives the address in the family of the socket.
func sockaddr(fd int, addr string) unix.Sockaddr {
	ap := netip.MustParseAddrPort(addr)
	if domain, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); domain == unix.AF_INET6 && ap.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: ap.Addr().As16(), Port: int(ap.Port())}
	}
	return &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}
}

func text(sa unix.Sockaddr) string {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String() //nolint:gosec // a port
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)).String() //nolint:gosec // a port
	}
	return ""
}
