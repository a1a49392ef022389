package conflict

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// proc is a host as /proc shows it on a little-endian machine: sshd on
// 0.0.0.0:22 and [::]:22, resolved on 127.0.0.53:53 (UDP), a process that is
// not to be seen on 10.1.2.3:8443, httpd with two workers on [::]:443.
func proc() fstest.MapFS {
	const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	}
	const v6any = "00000000000000000000000000000000"
	return fstest.MapFS{
		"net/tcp": file(header +
			"   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0\n" +
			"   1: 0302010A:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 900 1 0\n" +
			"   2: 0100007F:0016 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 901 1 0\n"),
		"net/tcp6": file(header +
			"   0: " + v6any + ":0016 " + v6any + ":0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0\n" +
			"   1: " + v6any + ":01BB " + v6any + ":0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0\n" +
			"   2: " + v6any + ":01BB " + v6any + ":0000 0A 00000000:00000000 00:00000000 00000000     0        0 103 1 0\n" +
			"   3: 00000000000000000000000001000000:1F40 " + v6any + ":0000 0A 00000000:00000000 00:00000000 00000000     0        0 104 1 0\n" +
			"   4: 0000000000000000FFFF00000100007F:1F41 " + v6any + ":0000 0A 00000000:00000000 00:00000000 00000000     0        0 105 1 0\n"),
		"net/udp": file(header +
			"  10: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 200 2 0 0\n" +
			"  11: 0100007F:D431 3500007F:0035 01 00000000:00000000 00:00000000 00000000   101        0 201 2 0 0\n"),
		"10/comm": file("sshd\n"), "10/fd/0": link("/dev/null"), "10/fd/3": link("socket:[100]"), "10/fd/4": link("socket:[101]"),
		"20/comm": file("systemd-resolve\n"), "20/fd/12": link("socket:[200]"),
		"31/comm": file("httpd\n"), "31/fd/4": link("socket:[102]"), "31/fd/5": link("socket:[103]"),
		"30/comm": file("httpd\n"), "30/fd/4": link("socket:[102]"), "30/fd/5": link("socket:[103]"),
		"40/comm":  file("closed\n"), // its fd may not be read
		"self/x":   file(""),
		"version":  file("Linux\n"),
		"sys/note": file(""),
	}
}

func TestReadListeners(t *testing.T) {
	got, err := ReadListeners(proc())
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr
	want := []Listener{
		{"tcp", addr("0.0.0.0"), 22, "sshd", 10},
		{"tcp", addr("::"), 22, "sshd", 10},
		{"udp", addr("127.0.0.53"), 53, "systemd-resolve", 20},
		{"tcp", addr("::"), 443, "httpd", 30},
		{"tcp", addr("::1"), 8000, "", 0},
		{"tcp", addr("127.0.0.1"), 8001, "", 0},
		{"tcp", addr("10.1.2.3"), 8443, "", 0},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadListenersFaults(t *testing.T) {
	for name, change := range map[string]struct {
		file, text, want string
	}{
		"cut":         {"net/tcp", "h\n 0: 00000000:0016 00000000:0000 0A\n", `net/tcp: the line " 0: 00000000:0016 00000000:0000 0A" has too few fields`},
		"no hex":      {"net/udp", "h\n 0: 0000000G:0016 0:0 07 0 0 0 0 0 1\n", `net/udp: the address "0000000G:0016": `},
		"no port":     {"net/tcp6", "h\n 0: 00000000 0:0 0A 0 0 0 0 0 1\n", `net/tcp6: the address "00000000": `},
		"odd address": {"net/tcp6", "h\n 0: 000000000000:0016 0:0 0A 0 0 0 0 0 1\n", `net/tcp6: the address "000000000000:0016" is neither IPv4 nor IPv6`},
	} {
		host := proc()
		host[change.file] = &fstest.MapFile{Data: []byte(change.text)}
		if _, err := ReadListeners(host); err == nil || !strings.HasPrefix(err.Error(), change.want) {
			t.Errorf("%s: got %v, want %s", name, err, change.want)
		}
	}
	if _, err := ReadListeners(fstest.MapFS{"etc/hosts": {}}); err == nil || !strings.HasPrefix(err.Error(), "there is no net/tcp: give /proc, or ") {
		t.Errorf("got %v", err)
	}
}

// The same on the kernel that runs the test.
func TestReadListenersOfThisHost(t *testing.T) {
	var config net.ListenConfig
	tcp, err := config.Listen(t.Context(), "tcp", ":0") // [::] where there is IPv6
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	client, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "udp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	got, err := ReadListeners(os.DirFS("/proc"))
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ protocol, address string }{{"tcp", tcp.Addr().String()}, {"udp", udp.LocalAddr().String()}} {
		address := netip.MustParseAddrPort(want.address)
		l := Listener{want.protocol, address.Addr(), int(address.Port()), strings.TrimSpace(string(comm)), os.Getpid()}
		if !slices.Contains(got, l) {
			t.Errorf("%+v is missing in %+v", l, got)
		}
	}
	peer := netip.MustParseAddrPort(client.LocalAddr().String())
	if slices.ContainsFunc(got, func(l Listener) bool {
		return l.Protocol == "udp" && l.Port == int(peer.Port()) && l.Address == peer.Addr()
	}) {
		t.Errorf("a client's socket %s counts as a listener", peer)
	}
}
