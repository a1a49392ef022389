package portmap

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

// hooked is a map with one port of each kind.
func hooked() []contract.Port {
	socket := contract.Port{Name: "https", Protocol: "tcp", Address: "any", Listens: 443, Host: 8443, Via: contract.ViaSocket, Unit: unit}
	rest := contract.Port{Name: "rest", Protocol: "tcp", Address: "loopback", Listens: 8000, Host: 8000, Via: contract.ViaNone, Unit: "ufmd.service", Guarded: true}
	return []contract.Port{socket, rest, http(listen, 1)}
}

func TestGate(t *testing.T) {
	const cure = ": on the host, run ibforge-portmap attach with the same map, and start the container in the cgroup that the map names; " +
		`a kernel without cgroup BPF hooks cannot have them, and the port then needs via = "config"`
	const without = "without them the service would take the host's 443/tcp instead of 8443 and everybody on the host could connect to 8000/tcp"
	const forbidden = "this container cannot bind a UDP socket to 127.86.66.70, so that it cannot tell whether the socket hooks are in force: " +
		"operation not permitted: look at the loopback interface, at the container's seccomp profile, and at SocketBindDeny= of the unit"
	tests := []struct {
		name              string
		ports             []contract.Port
		control, sentinel error
		want              string
	}{
		{"in force", hooked(), nil, fmt.Errorf("bind: %w", syscall.EPERM), ""},
		{"not in force", hooked(), nil, nil, "the socket hooks of this port map are not in force (the sentinel can be bound), and " + without + cure},
		// Somebody else has it, so no hook came before the bind.
		{"in use", hooked(), nil, syscall.EADDRINUSE, `the socket hooks of this port map are not in force (binding the sentinel gives "address already in use" and not "operation not permitted"), and ` + without + cure},
		{"refused by SELinux", hooked(), nil, syscall.EACCES, `the socket hooks of this port map are not in force (binding the sentinel gives "permission denied" and not "operation not permitted"), and ` + without + cure},
		{"every bind is forbidden", hooked(), syscall.EPERM, syscall.EPERM, forbidden},
		{"no hooks wanted", hooked()[2:], errors.New("asked"), errors.New("asked"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			err := gate(tt.ports, func(at netip.AddrPort) error {
				switch at {
				case netip.MustParseAddrPort("127.86.66.70:0"):
					return tt.control
				case netip.AddrPortFrom(netip.MustParseAddr(SentinelAddress), SentinelPort(tt.ports)):
					return tt.sentinel
				}
				t.Errorf("bound %s", at)
				return nil
			})
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// On a machine without hooks the real bind succeeds, and the gate is closed.
func TestGateWithoutHooks(t *testing.T) {
	if err := Gate(hooked()); err == nil {
		t.Error("the gate is open though nobody attached hooks")
	}
	if err := Gate(nil); err != nil {
		t.Errorf("a map without hooks: %v", err)
	}
}
