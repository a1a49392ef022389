package socket

import (
	"slices"
	"testing"

	"github.com/ibforge/ibforge/builder/contract"
)

// Programs that would do nothing are left out, and the sentinel's is last.
func TestHooksOf(t *testing.T) {
	move := []string{"connect4", "connect6", "getpeername4", "getpeername6", "getsockname4", "getsockname6", "bind6", "bind4"}
	moveUDP := append([]string{"sendmsg4", "sendmsg6", "recvmsg4", "recvmsg6"}, move...)
	guard := []string{"guard4", "guard6"}
	plain := contract.Port{Name: "p", Protocol: "udp", Address: "any", Listens: 99, Host: 99, Via: contract.ViaNone}
	guarded := plain
	guarded.Guarded = true
	for _, c := range []struct {
		name  string
		ports []contract.Port
		want  []string
	}{
		{"tcp", []contract.Port{socketPort("tcp", 1, 2), plain}, move},
		{"udp", []contract.Port{socketPort("udp", 1, 2)}, moveUDP},
		{"guarded", []contract.Port{guarded}, append(guard, "guardmsg4", "guardmsg6", "bind4")},
		{"both", []contract.Port{guardedOn("any", socketPort("tcp", 1, 2))}, append(guard, move...)},
	} {
		var got []string
		for _, h := range hooksOf(contract.PortMap{Ports: c.ports}, owner{}) {
			got = append(got, h.name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got  %q\nwant %q", c.name, got, c.want)
		}
	}
}

func BenchmarkAttachFirst(b *testing.B) {
	bench := newBench(b)
	m := bench.portMap(guardedOn("loopback", socketPort("tcp", 8000, 18000)), socketPort("tcp", 443, 18443), socketPort("udp", 6306, 16306))
	for b.Loop() {
		bench.attach(m)
		b.StopTimer()
		if err := Detach(m.Service, bench.o); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkAttachUnchanged(b *testing.B) {
	bench := newBench(b)
	m := bench.portMap(guardedOn("loopback", socketPort("tcp", 8000, 18000)), socketPort("tcp", 443, 18443), socketPort("udp", 6306, 16306))
	bench.attach(m)
	for b.Loop() {
		bench.attach(m)
	}
}
