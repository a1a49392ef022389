package socket

import (
	"encoding/binary"
	"net/netip"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/portmap"
)

// Offsets in struct bpf_sock_addr (include/uapi/linux/bpf.h). Addresses and
// port are in network byte order, the port in the low half of its word.
const (
	offIP4      = 4
	offIP6      = 8
	offPort     = 24
	offProtocol = 36
)

// pair translates one port number to another.
type pair struct{ from, to int }

// pairs are the translations of one direction.
type pairs struct{ tcp, udp []pair }

// where says which addresses a program looks at.
type where int

const (
	everywhere where = iota
	// loopback is 127.0.0.0/8, ::1, those as mapped addresses, and the
	// unspecified address, by which connect(2) means loopback as well.
	loopback4
	loopback6
)

// translate writes another port into the address if its protocol and port are
// in the table and its IP is w. Everything else stays as it is.
//
// sentinel, if not 0, is the UDP port that cannot be bound on
// [portmap.SentinelAddress].
func translate(table pairs, w where, sentinel uint16) asm.Instructions {
	out := prologue()
	list := func(label string, list []pair) {
		for _, p := range list {
			out = append(out,
				asm.Mov.Imm(asm.R4, network(p.to)).WithSymbol(label),
				asm.JEq.Imm(asm.R3, network(p.from), "found"))
			label = ""
		}
		out = append(out, asm.Ja.Label("allow").WithSymbol(label))
	}
	list("tcp", table.tcp)
	if sentinel != 0 {
		out = append(out,
			asm.JNE.Imm(asm.R3, network(int(sentinel)), "moved").WithSymbol("udp"),
			asm.LoadMem(asm.R5, asm.R6, offIP4, asm.Word),
			asm.JEq.Imm(asm.R5, sentinelIP(), "deny"))
		list("moved", table.udp)
	} else {
		list("udp", table.udp)
	}
	if len(table.tcp)+len(table.udp) > 0 { // the verifier refuses what cannot be reached
		found := len(out)
		out = append(out, only(w)...)
		out = append(out, asm.StoreMem(asm.R6, offPort, asm.R4, asm.Word).WithSymbol(ifEverywhere(w, "local")))
		out[found] = out[found].WithSymbol("found")
	}
	out = append(out, verdict("allow", 1)...)
	if sentinel != 0 {
		out = append(out, verdict("deny", 0)...)
	}
	return out
}

// prologue keeps the context in R6, puts the port into R3, and goes on at the
// label of the protocol. A socket of MPTCP, which Go's servers open by default,
// is one of TCP to everybody but itself.
func prologue() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, offProtocol, asm.Word),
		asm.LoadMem(asm.R3, asm.R6, offPort, asm.Word),
		asm.JEq.Imm(asm.R2, unix.IPPROTO_UDP, "udp"),
		asm.JEq.Imm(asm.R2, unix.IPPROTO_TCP, "tcp"),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_MPTCP, "allow"),
	}
}

// only goes to the label allow unless the address is w, and to local or past
// its end if it is.
func only(w where) asm.Instructions {
	const (
		localNet   = 127    // the first byte of 127.0.0.0/8
		mappedMark = 0xffff // the third word of ::ffff:0:0/96
	)
	switch w {
	case loopback4:
		return asm.Instructions{
			asm.LoadMem(asm.R5, asm.R6, offIP4, asm.Word),
			asm.JEq.Imm(asm.R5, 0, "local"),
			asm.HostTo(asm.BE, asm.R5, asm.Word),
			asm.RSh.Imm(asm.R5, 24),
			asm.JNE.Imm(asm.R5, localNet, "allow"),
		}
	case loopback6:
		return asm.Instructions{
			asm.LoadMem(asm.R5, asm.R6, offIP6, asm.Word),
			asm.JNE.Imm(asm.R5, 0, "allow"),
			asm.LoadMem(asm.R5, asm.R6, offIP6+4, asm.Word),
			asm.JNE.Imm(asm.R5, 0, "allow"),
			asm.LoadMem(asm.R7, asm.R6, offIP6+12, asm.Word),
			asm.HostTo(asm.BE, asm.R7, asm.Word),
			asm.LoadMem(asm.R5, asm.R6, offIP6+8, asm.Word),
			asm.HostTo(asm.BE, asm.R5, asm.Word),
			asm.JEq.Imm(asm.R5, 0, "plain"),
			asm.JNE.Imm(asm.R5, mappedMark, "allow"),
			asm.JEq.Imm(asm.R7, 0, "local"),
			asm.RSh.Imm(asm.R7, 24),
			asm.JEq.Imm(asm.R7, localNet, "local"),
			asm.Ja.Label("allow"),
			asm.JGT.Imm(asm.R7, 1, "allow").WithSymbol("plain"), // :: or ::1
		}
	case everywhere:
	}
	return nil
}

// ifEverywhere gives the label unless nobody jumps to it.
func ifEverywhere(w where, label string) string {
	if w == everywhere {
		return ""
	}
	return label
}

// verdict ends the program: 1 lets the call go on, 0 makes it fail with EPERM.
func verdict(label string, v int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, v).WithSymbol(label), asm.Return()}
}

// network gives a port as a program loads it from its context.
func network(port int) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], uint16(port)) //nolint:gosec // validate has bounded it
	return int32(binary.NativeEndian.Uint16(b[:]))
}

// sentinelIP is the same of portmap.SentinelAddress. It begins with 127 or, on
// machines of the other byte order, ends with it: it is no negative number.
func sentinelIP() int32 {
	b := netip.MustParseAddr(portmap.SentinelAddress).As4()
	return int32(binary.NativeEndian.Uint32(b[:])) //nolint:gosec // see above
}
