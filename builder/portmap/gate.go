package portmap

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"github.com/ibforge/ibforge/builder/contract"
)

// Gate tells whether the socket hooks of a port map are in force for this
// process, by the sentinel. It is nil if they are, or if the map needs none.
// Without them a service would take the very ports that it is to stay away
// from, so that its unit must not start.
func Gate(ports []contract.Port) error { return gate(ports, bindUDP) }

// gate asks twice: a bind that fails with EPERM could also be forbidden as such,
// as by a seccomp profile or by SocketBindDeny=, and would look like the hooks.
func gate(ports []contract.Port, bind func(netip.AddrPort) error) error {
	if !Hooked(ports) {
		return nil
	}
	address, err := netip.ParseAddr(SentinelAddress)
	if err != nil {
		return fmt.Errorf("the sentinel's address: %w", err)
	}
	if err := bind(netip.AddrPortFrom(address, 0)); err != nil {
		return fmt.Errorf("this container cannot bind a UDP socket to %s, so that it cannot tell whether the socket hooks are in force: %w: "+
			"look at the loopback interface, at the container's seccomp profile, and at SocketBindDeny= of the unit", SentinelAddress, err)
	}
	err = bind(netip.AddrPortFrom(address, SentinelPort(ports)))
	if errors.Is(err, syscall.EPERM) {
		return nil
	}
	found := "the sentinel can be bound"
	if err != nil {
		found = fmt.Sprintf("binding the sentinel gives %q and not %q", err, syscall.EPERM)
	}
	return fmt.Errorf("the socket hooks of this port map are not in force (%s), and without them %s: "+
		"on the host, run ibforge-portmap attach with the same map, and start the container in the cgroup that the map names; "+
		`a kernel without cgroup BPF hooks cannot have them, and the port then needs via = "config"`, found, without(ports))
}

// without says what would happen if the service were started all the same.
func without(ports []contract.Port) string {
	var taken, open []string
	for _, p := range ports {
		switch {
		case p.Via == contract.ViaSocket && p.Host != p.Listens:
			taken = append(taken, fmt.Sprintf("%d/%s instead of %d", p.Listens, p.Protocol, p.Host))
		case p.Guarded:
			open = append(open, fmt.Sprintf("%d/%s", p.Host, p.Protocol))
		}
	}
	var parts []string
	if len(taken) > 0 {
		parts = append(parts, "the service would take the host's "+strings.Join(taken, ", "))
	}
	if len(open) > 0 {
		parts = append(parts, "everybody on the host could connect to "+strings.Join(open, ", "))
	}
	if len(parts) == 0 {
		parts = []string{"nothing keeps the service's ports apart from the host's"}
	}
	return strings.Join(parts, " and ")
}

// bindUDP binds a socket and closes it. Package net is not used: it makes the
// helper half as large again, and it tries more than one system call.
func bindUDP(at netip.AddrPort) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}); err != nil {
		return errors.Join(fmt.Errorf("bind: %w", err), syscall.Close(fd))
	}
	return syscall.Close(fd) //nolint:wrapcheck // closing a socket that sent nothing does not fail
}
