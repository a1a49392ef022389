package socket

import (
	"github.com/cilium/ebpf/asm"
)

// guarded are the ports that only the service's own processes may connect to.
type guarded struct{ tcp, udp []guardedPort }

type guardedPort struct {
	number int
	// near says that the service binds loopback only, so that only addresses
	// of loopback reach it. To others the number means something else.
	near bool
}

// owner is who may connect to guarded ports.
type owner struct {
	// level below the root of the tree, and id, of the service's cgroup.
	level int
	// deeper is how many levels more the root may lie below the machine's: the
	// kernel counts from there, and a cgroup namespace does not tell.
	deeper int
	id     uint64
	// netns is the cookie of the network namespace in which the service binds:
	// each has a loopback of its own. 0 where the kernel does not tell it
	// (SO_NETNS_COOKIE is of 5.14); loopback is then guarded in all of them.
	netns uint64
}

// guard refuses with EPERM connections to guarded ports by tasks that are
// neither in the service's cgroup nor in one below. It goes by the calling task
// and not by the socket's cgroup, so that a socket handed out of the service
// opens no door.
//
// Where the service binds any address, the port is refused on any destination:
// which addresses are the host's own changes with time, and what is not
// recognized would be open.
func guard(ports guarded, w where, o owner) asm.Instructions {
	out := prologue()
	anyNear := false
	list := func(label string, list []guardedPort) {
		for _, p := range list {
			next := "who"
			if p.near {
				next, anyNear = "near", true
			}
			out = append(out, asm.JEq.Imm(asm.R3, network(p.number), next).WithSymbol(label))
			label = ""
		}
		out = append(out, asm.Ja.Label("allow").WithSymbol(label))
	}
	list("tcp", ports.tcp)
	list("udp", ports.udp)
	if anyNear { // the verifier refuses what cannot be reached
		at := len(out)
		out = append(out, only(w)...)
		out[at] = out[at].WithSymbol("near")
		out = append(out, sameNetns(o.netns)...)
	}
	label := "who"
	for level := o.level; level <= o.level+o.deeper; level++ {
		out = append(out,
			asm.Mov.Imm(asm.R1, int32(level)).WithSymbol(label), //nolint:gosec // the depth of a path
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.LoadImm(asm.R1, int64(o.id), asm.DWord), //nolint:gosec // the same 64 bits
			asm.JEq.Reg(asm.R0, asm.R1, "allow"))
		label = ""
	}
	out = append(out, verdict("deny", 0)...)
	return append(out, verdict("allow", 1)...)
}

// sameNetns goes to allow if the socket is of another network namespace.
func sameNetns(cookie uint64) asm.Instructions {
	context := asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("local")
	if cookie == 0 {
		return asm.Instructions{context} // a target for jumps to local
	}
	return asm.Instructions{
		context,
		asm.FnGetNetnsCookie.Call(),
		asm.LoadImm(asm.R1, int64(cookie), asm.DWord), //nolint:gosec // the same 64 bits
		asm.JNE.Reg(asm.R0, asm.R1, "allow"),
	}
}
