// Package portmap moves the ports of a service out of the way of others that
// want the same ones: by rewriting the service's own files (via config), and
// below the service by cgroup BPF programs (via socket, package
// portmap/socket). What is moved where is said by contract.Port.
package portmap

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
)

// SentinelAddress is an IPv4 address of the loopback interface by which a
// process finds out whether the socket hooks of one certain port map are in
// force: to bind a UDP socket to SentinelAddress and [SentinelPort] succeeds
// without them and fails with EPERM with them. Nothing else is done with it, so
// that asking changes nothing.
const SentinelAddress = "127.86.66.70"

// SentinelPort stands for what the socket hooks of a port map do: other moved
// or guarded ports have, but for one chance in 60000, another one.
func SentinelPort(ports []contract.Port) uint16 {
	var lines []string
	for _, p := range ports {
		if p.Via == contract.ViaSocket || p.Guarded {
			host := p.Listens
			if p.Via != contract.ViaNone {
				host = p.Host
			}
			lines = append(lines, fmt.Sprintf("%s %d %d %s %t", p.Protocol, p.Listens, host, p.Via, p.Guarded))
		}
	}
	slices.Sort(lines)
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.Join(lines, "\n"))) // a hash.Hash never fails
	return uint16(1024 + h.Sum32()%60000)
}

// Hooked tells whether a port map needs socket hooks at all.
func Hooked(ports []contract.Port) bool {
	return slices.ContainsFunc(ports, func(p contract.Port) bool { return p.Via == contract.ViaSocket || p.Guarded })
}
