package verify

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/builder/contract"
)

func TestComparePorts(t *testing.T) {
	https := contract.Port{Name: "https", Protocol: "tcp", Listens: 443, Host: 8443, Via: contract.ViaConfig}
	agent := contract.Port{Name: "agent", Protocol: "udp", Listens: 6306, Host: 6306, Via: contract.ViaNone}
	for _, tc := range []struct {
		name  string
		ports []contract.Port
		open  []endpoint
		want  Status
		says  string
	}{
		{"valid", []contract.Port{https, agent}, []endpoint{{"tcp", 8443}, {"udp", 6306}}, Pass, "8443/tcp, 6306/udp"},
		{"valid-nothing", nil, nil, Pass, "none"},
		{"invalid-closed", []contract.Port{https}, nil, Fail, `port "https": nothing of the container listens on 8443/tcp`},
		{"invalid-not-moved", []contract.Port{https}, []endpoint{{"tcp", 443}, {"tcp", 8443}}, Fail, "not in the contract: 443/tcp"},
		{"invalid-protocol", []contract.Port{agent}, []endpoint{{"tcp", 6306}}, Fail, "nothing of the container listens on 6306/udp"},
		{"invalid-undeclared", nil, []endpoint{{"tcp", 22}}, Fail, "not in the contract: 22/tcp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			open := map[endpoint]bool{}
			for _, e := range tc.open {
				open[e] = true
			}
			if got := comparePorts(tc.ports, open); got.status != tc.want || !strings.Contains(got.detail, tc.says) {
				t.Errorf("%s: %q, want %s: %q", got.status, got.detail, tc.want, tc.says)
			}
		})
	}
}

func TestOpenPorts(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // it is closed below
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	open, err := openPorts(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(strings.TrimPrefix(l.Addr().String(), "127.0.0.1:"))
	if err != nil || !open[endpoint{"tcp", port}] {
		t.Errorf("%d is not among %v: %v", port, open, err)
	}
}
