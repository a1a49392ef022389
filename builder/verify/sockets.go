package verify

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/conflict"
)

// portsPatience is how long a port may take to open once its unit is active.
const portsPatience = 10 * time.Second

// ephemeral is where the kernel's own choice of ports begins, unless somebody
// set net.ipv4.ip_local_port_range. A UDP socket there is a client's.
const ephemeral = 32768

// endpoint is a port that a process of the container has open.
type endpoint struct {
	protocol string
	port     int
}

func (e endpoint) String() string { return fmt.Sprintf("%d/%s", e.port, e.protocol) }

func (s *session) portsListening(ctx context.Context) result {
	switch {
	case s.img.Contract.Network != "host":
		return skip("the container has a network of its own, so that nothing of it is open on the host")
	case !s.eng.local():
		return skip("the engine is on another host, whose processes cannot be seen from here")
	case os.Geteuid() != 0:
		return skip("only root sees whose sockets are open")
	}
	have, err := s.eng.api.ContainerInspect(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for the container: %v", err)
	}
	started := s.opts.Clock.Now()
	for {
		open, err := openPorts(have.State.Pid)
		if err != nil {
			return fail("%v", err)
		}
		r := comparePorts(s.img.Contract.Ports, open)
		if r.status == Pass || s.opts.Clock.Now().Sub(started) >= portsPatience {
			return r
		}
		if err := s.opts.Clock.Sleep(ctx, 500*time.Millisecond); err != nil {
			return fail("%v", err)
		}
	}
}

// openPorts are the ports that processes of the container with this PID 1, as
// the host counts, have open. They are looked at from the host: without
// CAP_SYS_PTRACE the container's root sees no descriptors of another user.
func openPorts(pid int) (map[endpoint]bool, error) {
	listeners, err := conflict.ReadListeners(os.DirFS("/proc"))
	if err != nil {
		return nil, fmt.Errorf("reading who listens on this host: %w", err)
	}
	namespace, err := os.Readlink(pidNamespace(pid))
	if err != nil {
		return nil, fmt.Errorf("looking at the container's PID 1: %w", err)
	}
	open := map[endpoint]bool{}
	for _, l := range listeners {
		own, err := os.Readlink(pidNamespace(l.PID))
		client := l.Protocol == "udp" && l.Port >= ephemeral
		if err == nil && own == namespace && !client {
			open[endpoint{l.Protocol, l.Port}] = true
		}
	}
	return open, nil
}

func pidNamespace(pid int) string { return fmt.Sprintf("/proc/%d/ns/pid", pid) }

// comparePorts wants every port of the contract open at its number on the
// host, and no other.
func comparePorts(ports []contract.Port, open map[endpoint]bool) result {
	var faults, known []string
	declared := map[endpoint]bool{}
	for _, p := range ports {
		e := endpoint{p.Protocol, p.Host}
		declared[e] = true
		known = append(known, e.String())
		if !open[e] {
			faults = append(faults, fmt.Sprintf("port %q: nothing of the container listens on %v", p.Name, e))
		}
	}
	var stray []string
	for e := range maps.Keys(open) {
		if !declared[e] {
			stray = append(stray, e.String())
		}
	}
	slices.Sort(stray)
	if len(stray) > 0 {
		faults = append(faults, "open, and not in the contract: "+strings.Join(stray, ", "))
	}
	switch {
	case len(faults) > 0:
		return fail("%s", strings.Join(faults, "\n"))
	case len(known) == 0:
		return pass("the contract has none, and none is open")
	}
	return pass("%s", strings.Join(known, ", "))
}
