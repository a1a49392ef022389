package conflict

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/kolla"
)

// image has ports like "https 443>8443/tcp any socket".
func image(t *testing.T, name string, ports ...string) contract.Contract {
	t.Helper()
	c := contract.Contract{Image: name, Network: "host"}
	for _, text := range ports {
		p := contract.Port{Unit: "a.service", Rewrites: []contract.Rewrite{}}
		text = strings.NewReplacer(">", " ", "/", " ").Replace(text)
		if _, err := fmt.Sscan(text, &p.Name, &p.Listens, &p.Host, &p.Protocol, &p.Address, &p.Via); err != nil {
			t.Fatal(err)
		}
		c.Ports = append(c.Ports, p)
	}
	return c
}

func listening(protocol, addressPort, process string, pid int) Listener {
	a := netip.MustParseAddrPort(addressPort)
	return Listener{protocol, a.Addr(), int(a.Port()), process, pid}
}

// say is a conflict in one line.
func say(list []Conflict) []string {
	out := []string{}
	for _, c := range list {
		who := strings.Join(append([]string{c.With.Name + c.With.Port}, c.With.Variables...), ".")
		out = append(out, fmt.Sprintf("%s.%s %d/%s with %s %s%v pid %d, free %d",
			c.Image, c.Port, c.Number, c.Protocol, c.With.Kind, who, c.With.Addresses, c.With.PID, c.Free))
	}
	return out
}

func TestConflicts(t *testing.T) {
	horizon := []kolla.Port{
		{Variable: "horizon_port", Number: 80, Protocol: "tcp", Listens: "internal_vip", Service: "horizon"},
		{Variable: "horizon_port", Number: 80, Protocol: "tcp", Listens: "external_vip", Service: "horizon"},
		{Variable: "horizon_listen_port", Number: 80, Protocol: "tcp", Listens: "api", Service: "horizon"},
		{Number: 67, Protocol: "udp", Listens: "ironic_dnsmasq", Service: "ironic"},
	}
	for _, c := range []struct {
		name string
		host Host
		want []string
	}{
		{"nothing but itself", Host{Contracts: []contract.Contract{image(t, "ufm", "https 443>8443/tcp any config")}}, []string{}},
		{
			"what a service insists on is no conflict once it is moved",
			Host{Contracts: []contract.Contract{image(t, "ufm", "http 80>8082/tcp any config")}, Kolla: horizon},
			[]string{},
		},
		{
			"one claim for each service of Kolla",
			Host{Contracts: []contract.Contract{image(t, "ufm", "http 80>80/tcp any none")}, Kolla: horizon},
			[]string{"ufm.http 80/tcp with kolla horizon.horizon_port.horizon_listen_port[internal_vip external_vip api] pid 0, free 8080"},
		},
		{
			"a number of Kolla without a variable, and another protocol",
			Host{Contracts: []contract.Contract{image(t, "a", "dhcp 67>67/udp any none", "x 67>67/tcp any none")}, Kolla: horizon},
			[]string{"a.dhcp 67/udp with kolla ironic[ironic_dnsmasq] pid 0, free 8067"},
		},
		{
			"Kolla's addresses are the site's, so loopback counts",
			Host{Contracts: []contract.Contract{image(t, "ufm", "http 80>80/tcp loopback none")}, Kolla: horizon[:1]},
			[]string{"ufm.http 80/tcp with kolla horizon.horizon_port[internal_vip] pid 0, free 8080"},
		},
		{
			"two images, told once",
			Host{Contracts: []contract.Contract{image(t, "ufm", "http 80>8080/tcp any socket"), image(t, "neo", "web 80>8080/tcp loopback config")}},
			[]string{"neo.web 8080/tcp with image ufmhttp[any] pid 0, free 8081"},
		},
		{
			"two ports of one image",
			Host{Contracts: []contract.Contract{image(t, "ufm", "a 1>9000/tcp any socket", "b 2>9000/tcp any socket", "c 3>9000/udp any socket")}},
			[]string{"ufm.b 9000/tcp with image ufma[any] pid 0, free 9001"},
		},
		{
			"listeners of both families and on one address",
			Host{
				Contracts: []contract.Contract{image(t, "ufm", "https 443>443/tcp any none", "agent 6306>6306/udp any none")},
				Listeners: []Listener{
					listening("tcp", "10.0.0.5:443", "haproxy", 7), listening("tcp", "[::]:443", "", 0),
					listening("udp", "0.0.0.0:443", "quic", 8), listening("tcp", "0.0.0.0:6306", "x", 9),
				},
			},
			[]string{
				"ufm.https 443/tcp with listener haproxy[10.0.0.5] pid 7, free 8443",
				"ufm.https 443/tcp with listener [::] pid 0, free 8443",
			},
		},
		{
			"a service on loopback meets loopback and the wildcards only",
			Host{
				Contracts: []contract.Contract{image(t, "ufm", "rest 8000>8000/tcp loopback none")},
				Listeners: []Listener{
					listening("tcp", "10.0.0.5:8000", "api", 1), listening("tcp", "127.0.0.1:8000", "lo", 2),
					listening("tcp", "[::1]:8000", "lo6", 3), listening("tcp", "0.0.0.0:8000", "any", 4), listening("tcp", "[fe80::1]:8000", "ll", 5),
				},
			},
			[]string{
				"ufm.rest 8000/tcp with listener lo[127.0.0.1] pid 2, free 8001",
				"ufm.rest 8000/tcp with listener lo6[::1] pid 3, free 8001",
				"ufm.rest 8000/tcp with listener any[0.0.0.0] pid 4, free 8001",
			},
		},
		{
			"without the host's network there is nothing to meet",
			Host{Contracts: []contract.Contract{{Image: "x", Network: "none", Ports: []contract.Port{{Name: "a", Protocol: "tcp", Listens: 80, Host: 80}}}}, Kolla: horizon},
			[]string{},
		},
		{
			"free numbers are nobody's: not of Kolla's services that are off, of images, listeners, nor told twice",
			Host{
				Contracts: []contract.Contract{image(t, "ufm", "a 80>80/tcp any none", "b 8083>8083/tcp any none", "c 8085>8090/tcp any socket")},
				Kolla:     []kolla.Port{{Variable: "a", Number: 80, Protocol: "tcp"}, {Variable: "b", Number: 8083, Protocol: "tcp"}},
				Reserved:  []kolla.Port{{Variable: "r", Number: 8080, Protocol: "udp"}, {Variable: "s", Number: 8081, Protocol: "tcp"}},
				Listeners: []Listener{listening("tcp", "10.0.0.1:8082", "x", 1)},
			},
			[]string{
				"ufm.a 80/tcp with kolla .a[] pid 0, free 8084",
				"ufm.b 8083/tcp with kolla .b[] pid 0, free 8086",
			},
		},
		{
			"free numbers are not those of clients",
			Host{Contracts: []contract.Contract{image(t, "ufm", "a 32767>32767/tcp any none", "b 50000>50000/tcp any none")}, Listeners: []Listener{
				listening("tcp", "0.0.0.0:32767", "x", 1), listening("tcp", "0.0.0.0:50000", "y", 2),
			}},
			[]string{
				"ufm.a 32767/tcp with listener x[0.0.0.0] pid 1, free 1024",
				"ufm.b 50000/tcp with listener y[0.0.0.0] pid 2, free 1025",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, say(c.host.Conflicts())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMove(t *testing.T) {
	before := []contract.Contract{
		image(t, "ufm", "http 80>8080/tcp any socket", "https 443>8443/tcp any socket", "gate 8085>8085/tcp any none"),
		image(t, "opensm"),
	}
	after, err := Move(before, []string{"ufm.https=9443", "ufm.http=9080"})
	if err != nil {
		t.Fatal(err)
	}
	if p := after[0].Ports; p[0].Host != 9080 || p[1].Host != 9443 || p[1].Listens != 443 {
		t.Errorf("got %+v", p)
	}
	if before[0].Ports[1].Host != 8443 {
		t.Error("the contract that was given has changed")
	}

	_, err = Move(before, []string{"ufm.https", "https=1", "ufm.https=0", "ufm.https=65536", "ufm.https=x", "neo.https=1", "ufm.htps=1", "opensm.a=1", "ufm.gate=9"})
	if err == nil {
		t.Fatal("no error")
	}
	const form = ": write IMAGE.PORT=NUMBER with a number from 1 to 65535, such as ufm.https=8443"
	want := []string{
		`"ufm.https"` + form, `"https=1"` + form, `"ufm.https=0"` + form, `"ufm.https=65536"` + form, `"ufm.https=x"` + form,
		`"neo.https=1": there is no image "neo"; there are ufm, opensm`,
		`"ufm.htps=1": image "ufm" has no port "htps"; it has http, https, gate`,
		`"opensm.a=1": image "opensm" has no port`,
		`"ufm.gate=9": the image does not move this port: its via is "none"; give it "config" or "socket" in the description`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// The rules of port maps hold for what a site wants, too.
	for moved, want := range map[string]string{
		"ufm.https=8080": `lands on 8080/tcp of the host as port "http" does`,
		"ufm.https=80":   `lands on 80/tcp, which port "http" binds before it is moved`,
	} {
		if _, err := Move(before, []string{moved}); err == nil || !strings.HasPrefix(err.Error(), `image "ufm": `) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", moved, err, want)
		}
	}
}
