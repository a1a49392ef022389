package socket

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// hammer binds or connects fresh sockets without a pause.
type hammer struct {
	count atomic.Int64
	end   chan struct{}
	err   chan error
}

// startHammer begins. how is "bind NETWORK", where any error ends it, or "conn
// NETWORK", where a connect that is not refused ends it.
func startHammer(how, addr string) *hammer {
	h := &hammer{end: make(chan struct{}), err: make(chan error, 1)}
	verb, network := how[:4], how[5:]
	go func() {
		for {
			select {
			case <-h.end:
				h.err <- nil
				return
			default:
			}
			if err := once(verb, network, addr); err != nil {
				h.err <- err
				return
			}
			h.count.Add(1)
		}
	}()
	return h
}

func once(verb, network, addr string) error {
	fd, err := newSocket(network)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if verb == "bind" {
		return unix.Bind(fd, sockaddr(fd, addr))
	}
	err = unix.Connect(fd, sockaddr(fd, addr))
	if errors.Is(err, unix.EPERM) {
		return nil
	}
	return fmt.Errorf("not refused: %w", cmp.Or(err, error(unix.EISCONN)))
}

// rest ends it, and gives how often it went well and the first error.
func (h *hammer) rest() (int, error) {
	close(h.end)
	err := <-h.err
	return int(h.count.Load()), err
}
