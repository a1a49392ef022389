package portmap

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

const file = "/etc/apache2/ports.conf"

// http is a port 80 that moves to 8080, with a rewrite of file.
func http(match string, count int) contract.Port {
	return contract.Port{
		Name: "http", Protocol: "tcp", Address: "any", Listens: 80, Host: 8080, Via: contract.ViaConfig, Unit: "apache2.service",
		Rewrites: []contract.Rewrite{{Path: file, Match: match, Count: count}},
	}
}

// https is a port 443 that moves to 8443.
func https(match string, count int) contract.Port {
	p := http(match, count)
	p.Name, p.Listens, p.Host = "https", 443, 8443
	return p
}

const listen = `^\s*Listen\s+{port}\s*$`

func TestRewriteText(t *testing.T) {
	both := []contract.Port{http(listen, 1), https(listen, 1)}
	tests := []struct {
		name       string
		ports      []contract.Port
		text, want string
	}{
		// s/Listen 80/Listen 8080/ makes 808080 of the second line.
		{"the naive pattern", []contract.Port{http(`^Listen {port}`, 1)}, "Listen 80\nListen 8081\n", "Listen 8080\nListen 8081\n"},
		{"number with more digits behind", []contract.Port{func() contract.Port { p := http(`^Listen {port}`, 1); p.Host = 9090; return p }()}, "Listen 8080\nListen 80\nListen 800\n", "Listen 8080\nListen 9090\nListen 800\n"},
		{"number with digits before", []contract.Port{http(`^Listen .*{port}$`, 1)}, "Listen 180\nListen [::]:80\n", "Listen 180\nListen [::]:8080\n"},
		{"prefix that is also the beginning of the new number", []contract.Port{http(listen, 2)}, "Listen 80\n Listen\t8080\n", "Listen 8080\n Listen\t8080\n"},
		{"end of the new number", []contract.Port{https(`^Listen .*{port}`, 1)}, "Listen 0.0.0.0:8443 https\n", "Listen 0.0.0.0:8443 https\n"},
		{"two ports of one pattern", both, "Listen 80\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n", "Listen 8080\n<IfModule ssl_module>\n\tListen 8443\n</IfModule>\n"},
		{"comments and other ports", both, "# Listen 80\nListen 80\nListen 443\nListen 10443\n", "# Listen 80\nListen 8080\nListen 8443\nListen 10443\n"},
		{"carriage returns", both, "Listen 80\r\nListen 443\r\n", "Listen 8080\r\nListen 8443\r\n"},
		{"no line end at the end", both, "Listen 443\nListen 80", "Listen 8443\nListen 8080"},
		{"nothing but numbers", both, "Listen 80\n\xff\x00Listen 80\nListen 443\n", "Listen 8080\n\xff\x00Listen 80\nListen 8443\n"},
		{"rewritten before", both, "Listen 8080\nListen 8443\n", "Listen 8080\nListen 8443\n"},
		{"rewritten in part", []contract.Port{http(listen, 3)}, "Listen 8080\nListen 80\nListen 8080\n", "Listen 8080\nListen 8080\nListen 8080\n"},
		{"a shorter number", []contract.Port{func() contract.Port { p := http(listen, 1); p.Listens, p.Host = 8080, 81; return p }()}, "Listen 8080\n", "Listen 81\n"},
		{"a port that stays", []contract.Port{func() contract.Port { p := http(listen, 2); p.Host = 80; return p }()}, "Listen 80\nListen 80\n", "Listen 80\nListen 80\n"},
		{"two in one line", []contract.Port{http(`^Pair {port} \S+$`, 1), https(`^Pair \S+ {port}$`, 1)}, "Pair 80 443\n", "Pair 8080 8443\n"},
		{"across lines", []contract.Port{http(`^\[Server\]\n(?:[^\[\n].*\n)*?port\s*=\s*{port}$`, 1)}, "[Agent]\nport = 80\n[Server]\nname = x\nport = 80\n", "[Agent]\nport = 80\n[Server]\nname = x\nport = 8080\n"},
		{"other files", []contract.Port{func() contract.Port { p := http(listen, 1); p.Rewrites[0].Path = "/etc/other"; return p }()}, "Listen 80\n", "Listen 80\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := []byte(tt.text)
			got, changed, err := RewriteText(given, tt.ports, file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if changed != (tt.want != tt.text) {
				t.Errorf("changed is %t", changed)
			}
			if string(given) != tt.text {
				t.Errorf("the text that was given is now %q", given)
			}
		})
	}
}

func TestRewriteTextHugeLine(t *testing.T) {
	long := strings.Repeat("8080 80 ", 1<<17)
	got, _, err := RewriteText([]byte("Listen 80\n# "+long+"\nListen 443"), []contract.Port{http(listen, 1), https(listen, 1)}, file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != "Listen 8080\n# "+long+"\nListen 8443" {
		t.Errorf("got %d bytes, which begin with %.40q and end with %.40q", len(got), got, got[len(got)-40:])
	}
}

func TestRewriteTextFaults(t *testing.T) {
	tests := []struct {
		name  string
		ports []contract.Port
		text  string
		want  []Fault
	}{
		{"all at once", []contract.Port{http(listen, 2), https(`^SSL {port}`, 1)}, "Listen 80\nListen 8080\nListen 8080\n", []Fault{
			{file, "http", listen, 2, 3, "looked for 80, 8080: compare the file with the match and the count in the description, which are for another version of the service"},
			{file, "https", `^SSL {port}`, 1, 0, "looked for 443, 8443: compare the file with the match and the count in the description, which are for another version of the service"},
		}},
		{"another number", []contract.Port{http(listen, 1)}, "Listen 9090\nListen 9091\nListen 9090\n", []Fault{
			{file, "http", listen, 1, 0, "looked for 80, 8080, and it holds 9090, 9091 there: if that is this port, put 80 back into the file; if not, correct the match or the count in the description"},
		}},
		{"carriage return", []contract.Port{http(`^Listen {port}$`, 1)}, "Listen 80\r\n", []Fault{
			{file, "http", `^Listen {port}$`, 1, 0, `looked for 80, 8080, and its lines end with \r\n: end the match with "\\s*$", or correct the count in the description`},
		}},
		{"two rewrites of one number", []contract.Port{
			http(listen, 1),
			func() contract.Port { p := http(`^.*Listen {port}`, 1); p.Name, p.Protocol = "quic", "udp"; return p }(),
		}, "\n\nListen 80\n", []Fault{
			{file, "quic", `^.*Listen {port}`, 1, 1, "the 80 in line 3 is also what match \"^\\\\s*Listen\\\\s+{port}\\\\s*$\" of port http finds: let the two differ"},
		}},
		{"a match that names the number of another", []contract.Port{http(`^Pair {port} 443$`, 1), https(`^Pair \S+ {port}$`, 1)}, "Pair 80 443\n", []Fault{
			{file, "http", `^Pair {port} 443$`, 1, 0, "so it would be at the next start, when the host's numbers are in the file: let the match say more of what stands around {port}"},
		}},
		{"a line with two numbers", []contract.Port{func() contract.Port { p := http(`^Listen.* {port}\b`, 1); p.Host = 9000; return p }()}, "Listen 80 80\n", []Fault{
			{file, "http", `^Listen.* {port}\b`, 1, 2, "so it would be at the next start, when the host's numbers are in the file: let the match say more of what stands around {port}"},
		}},
		{"a bad rewrite", []contract.Port{http(`Listen {port}`, 1), https(`^Listen`, 1)}, "Listen 80\n", []Fault{
			{Path: file, Port: "http", Why: `The match "Listen {port}" does not begin with "^", so that it would be found in the middle of a line too. Begin it with "^", or with "^\\s*" for lines that may be indented.`},
			{Path: file, Port: "https", Why: `The match "^Listen" holds {port} 0 times. Write it once, where the number stands.`},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, changed, err := RewriteText([]byte(tt.text), tt.ports, file)
			if got != nil || changed {
				t.Errorf("got the text %q, changed %t", got, changed)
			}
			var e *FaultsError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a FaultsError", err)
			}
			if diff := cmp.Diff(tt.want, e.Faults); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if lines := strings.Count(err.Error(), "\n") + 1; lines != len(tt.want) {
				t.Errorf("%d faults in %d lines:\n%v", len(tt.want), lines, err)
			}
		})
	}
}
