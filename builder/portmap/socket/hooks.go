package socket

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// hook is one program and where it belongs.
type hook struct {
	// name of the pin.
	name   string
	attach ebpf.AttachType
	// root says that it is attached to the root of the tree, not to the service.
	root  bool
	insns asm.Instructions
	prog  *ebpf.Program
}

// sentinelHook is put in force after all others and removed before them: who
// finds the sentinel refused (package portmap) finds everything in force.
const sentinelHook = "bind4"

// hooksOf assembles the programs that a map needs, in the order in which they
// are put in force. Those that would do nothing are left out.
func hooksOf(m contract.PortMap, o owner) []hook {
	toHost, toService, ports := tables(m.Ports)
	udpHost, udpService := pairs{udp: toHost.udp}, pairs{udp: toService.udp}
	var out []hook
	if len(ports.tcp)+len(ports.udp) > 0 {
		out = append(out,
			hook{name: "guard4", attach: ebpf.AttachCGroupInet4Connect, root: true, insns: guard(ports, loopback4, o)},
			hook{name: "guard6", attach: ebpf.AttachCGroupInet6Connect, root: true, insns: guard(ports, loopback6, o)})
	}
	if len(ports.udp) > 0 {
		out = append(out,
			hook{name: "guardmsg4", attach: ebpf.AttachCGroupUDP4Sendmsg, root: true, insns: guard(ports, loopback4, o)},
			hook{name: "guardmsg6", attach: ebpf.AttachCGroupUDP6Sendmsg, root: true, insns: guard(ports, loopback6, o)})
	}
	if len(toHost.udp) > 0 {
		out = append(out,
			hook{name: "sendmsg4", attach: ebpf.AttachCGroupUDP4Sendmsg, insns: translate(udpHost, loopback4, 0)},
			hook{name: "sendmsg6", attach: ebpf.AttachCGroupUDP6Sendmsg, insns: translate(udpHost, loopback6, 0)},
			hook{name: "recvmsg4", attach: ebpf.AttachCGroupUDP4Recvmsg, insns: translate(udpService, loopback4, 0)},
			hook{name: "recvmsg6", attach: ebpf.AttachCGroupUDP6Recvmsg, insns: translate(udpService, loopback6, 0)})
	}
	if len(toHost.tcp)+len(toHost.udp) > 0 {
		out = append(out,
			hook{name: "connect4", attach: ebpf.AttachCGroupInet4Connect, insns: translate(toHost, loopback4, 0)},
			hook{name: "connect6", attach: ebpf.AttachCGroupInet6Connect, insns: translate(toHost, loopback6, 0)},
			hook{name: "getpeername4", attach: ebpf.AttachCgroupInet4GetPeername, insns: translate(toService, loopback4, 0)},
			hook{name: "getpeername6", attach: ebpf.AttachCgroupInet6GetPeername, insns: translate(toService, loopback6, 0)},
			hook{name: "getsockname4", attach: ebpf.AttachCgroupInet4GetSockname, insns: translate(toService, everywhere, 0)},
			hook{name: "getsockname6", attach: ebpf.AttachCgroupInet6GetSockname, insns: translate(toService, everywhere, 0)},
			hook{name: "bind6", attach: ebpf.AttachCGroupInet6Bind, insns: translate(toHost, everywhere, 0)})
	}
	return append(out, hook{name: sentinelHook, attach: ebpf.AttachCGroupInet4Bind,
		insns: translate(toHost, everywhere, portmap.SentinelPort(m.Ports))})
}

// tables sorts the ports by what is done to them.
func tables(ports []contract.Port) (toHost, toService pairs, g guarded) {
	for _, p := range ports {
		moves, backs, guards := &toHost.tcp, &toService.tcp, &g.tcp
		if p.Protocol == "udp" {
			moves, backs, guards = &toHost.udp, &toService.udp, &g.udp
		}
		if p.Via == contract.ViaSocket {
			*moves = append(*moves, pair{p.Listens, p.Host})
			*backs = append(*backs, pair{p.Host, p.Listens})
		}
		if p.Guarded {
			// Programs of a cgroup run before those of the ones above it
			// (Documentation/bpf/prog_cgroup_sockopt.rst), so that the guard
			// sees a moved port.
			*guards = append(*guards, guardedPort{number: p.Host, near: p.Address == "loopback"})
		}
	}
	return toHost, toService, g
}

// loader makes a program known to the kernel.
type loader func(*ebpf.ProgramSpec) (*ebpf.Program, error)

// loadHooks loads all programs of a map, or none.
func loadHooks(m contract.PortMap, t *target, load loader) ([]hook, error) {
	hooks := hooksOf(m, t.owner)
	for i := range hooks {
		h := &hooks[i]
		if h.root && !t.wholeTree && !m.SystemContainer {
			closeHooks(hooks)
			return nil, fmt.Errorf("%w: a guarded port needs the root of the tree, and %s is not it; cure: run on the host, in its own cgroup namespace; if the host is a container that runs systemd and has a network namespace of its own, set system_container in the map", ErrNoCgroup, t.root.Name())
		}
		prog, err := load(h.spec(h.insns))
		if err != nil {
			closeHooks(hooks)
			return nil, h.explain(err, load)
		}
		h.prog = prog
	}
	return hooks, nil
}

func closeHooks(hooks []hook) {
	for _, h := range hooks {
		if h.prog != nil {
			_ = h.prog.Close() // links keep what they need
		}
	}
}

func (h *hook) spec(insns asm.Instructions) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Name: "ib_" + h.name, Type: ebpf.CGroupSockAddr, AttachType: h.attach,
		Instructions: insns, License: "Apache-2.0",
	}
}

// explain tells why the program was not loaded: which kernels have what it
// needs cannot be told from a release, distributions port such things back.
func (h *hook) explain(err error, load loader) error {
	var verifier *ebpf.VerifierError
	if errors.Is(err, unix.EPERM) && !errors.As(err, &verifier) {
		return fmt.Errorf("loading the program for %s: %w", h.attach, err)
	}
	// From here on with %v: what the verifier does not like has EACCES, which
	// says nothing about the caller's rights.
	empty, probe := load(h.spec(verdict("", 1)))
	if probe != nil {
		return fmt.Errorf("%w: it has no hook %s (in Linux since 5.8, with CONFIG_CGROUP_BPF): %v; %s", ErrNoHooks, h.attach, err, configCure) //nolint:errorlint // see above
	}
	_ = empty.Close()
	if h.root {
		return fmt.Errorf("%w: it does not tell programs for %s who connects (bpf_get_current_ancestor_cgroup_id, in Linux since 5.7): %v; %s", ErrNoHooks, h.attach, err, configCure) //nolint:errorlint // see above
	}
	return fmt.Errorf("loading the program for %s: %v", h.attach, err) //nolint:errorlint // see above
}

// loadProgram loads a program. Before 5.11 the kernel counts programs against
// RLIMIT_MEMLOCK, which is raised only where it is in the way; where it may not
// be raised, the first error is the one to tell.
func loadProgram(spec *ebpf.ProgramSpec) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(spec)
	if !errors.Is(err, unix.EPERM) {
		return prog, err //nolint:wrapcheck // explain does
	}
	infinite := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &infinite) != nil {
		return nil, err //nolint:wrapcheck // explain does
	}
	return ebpf.NewProgram(spec) //nolint:wrapcheck // explain does
}
