package portmap

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

func TestCompileRewrite(t *testing.T) {
	tests := []struct {
		name, match string
		count       int
		want        string
	}{
		{"plain", `^Listen {port}`, 1, ""},
		{"indented", `^\s*Listen\s+{port}\s*$`, 2, ""},
		{"in a group of the author", `^(Listen (?:\S+:)?{port})( https)?$`, 1, ""},
		{"alternatives around it", `^(?:Listen|Port) {port}`, 1, ""},
		{"flags behind the anchor", `^(?i)listen {port}`, 1, ""},
		{"many lines", `^\[Server\]\n(?:[^\[].*\n)*?rest_port\s*=\s*{port}$`, 1, ""},
		{"anchor", `Listen {port}`, 1,
			`The match "Listen {port}" does not begin with "^", so that it would be found in the middle of a line too. Begin it with "^", or with "^\\s*" for lines that may be indented.`},
		{"no placeholder", `^Listen 80`, 1,
			`The match "^Listen 80" holds {port} 0 times. Write it once, where the number stands.`},
		{"two placeholders", `^{port}:{port}`, 1,
			`The match "^{port}:{port}" holds {port} 2 times. Write it once, where the number stands.`},
		{"syntax", `^(Listen {port}`, 1,
			`The match "^(Listen {port}" is no regular expression that Go knows (RE2): missing closing ) at "^(Listen {port}".`},
		{"look-ahead", `^Listen {port}(?!\d)`, 1,
			`The match "^Listen {port}(?!\\d)" is no regular expression that Go knows (RE2): invalid or unsupported Perl syntax at "(?!".`},
		{"anchor that may be absent", `^?Listen {port}`, 1,
			`The match "^?Listen {port}" can be found in the middle of a line too, by an alternative, or a repetition of its "^". Write alternatives as "^(?:A|B)".`},
		{"second alternative without anchor", `^Listen|Port {port}`, 1,
			`The match "^Listen|Port {port}" can be found in the middle of a line too, by an alternative, or a repetition of its "^". Write alternatives as "^(?:A|B)".`},
		{"number in an alternative", `^Listen (?:{port}|http)`, 1,
			`The match "^Listen (?:{port}|http)" can be found without a number: {port} stands in an alternative, a repetition, a class or behind a backslash. Put it outside of these.`},
		{"number in a repetition", `^Listen {port}?`, 1,
			`The match "^Listen {port}?" can be found without a number: {port} stands in an alternative, a repetition, a class or behind a backslash. Put it outside of these.`},
		{"number in a class", `^Listen [{port}]`, 1,
			`The match "^Listen [{port}]" can be found without a number: {port} stands in an alternative, a repetition, a class or behind a backslash. Put it outside of these.`},
		{"number that is quoted", `^Listen \Q{port}\E`, 1,
			`The match "^Listen \\Q{port}\\E" can be found without a number: {port} stands in an alternative, a repetition, a class or behind a backslash. Put it outside of these.`},
		{"count", `^Listen {port}`, 0, `The count is 0. Give the number of places, at least 1.`},
		{"all at once", `Listen`, -1,
			`The match "Listen" does not begin with "^", so that it would be found in the middle of a line too. Begin it with "^", or with "^\\s*" for lines that may be indented. ` +
				`The match "Listen" holds {port} 0 times. Write it once, where the number stands. The count is -1. Give the number of places, at least 1.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			port := contract.Port{Name: "http", Listens: 80, Host: 8080}
			r := contract.Rewrite{Path: "/etc/x", Match: tt.match, Count: tt.count}
			p, err := CompileRewrite(port, r)
			if tt.want == "" {
				if err != nil || p.Rewrite != r {
					t.Fatalf("got %+v, %v; want it to be right", p, err)
				}
				return
			}
			var e *RewriteError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a RewriteError", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnits(t *testing.T) {
	got := Units([]contract.Port{
		{Name: "a", Via: contract.ViaSocket, Unit: "b.service"},
		{Name: "b", Via: contract.ViaConfig, Unit: "a.service"},
		{Name: "c", Via: contract.ViaNone, Unit: "quiet.service"},
		{Name: "d", Via: contract.ViaNone, Unit: "guarded.service", Guarded: true},
		{Name: "e", Via: contract.ViaConfig, Unit: "a.service"},
		{Name: "f", Via: contract.ViaNone},
	})
	if diff := cmp.Diff([]string{"a.service", "b.service", "guarded.service"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	port := func(name string, listens, host int, change func(*contract.Port)) contract.Port {
		p := contract.Port{Name: name, Protocol: "tcp", Address: "any", Listens: listens, Host: host, Via: contract.ViaSocket, Unit: "x.service"}
		if change != nil {
			change(&p)
		}
		return p
	}
	rewrites := func(path, match string) func(*contract.Port) {
		return func(p *contract.Port) {
			p.Via = contract.ViaConfig
			p.Rewrites = []contract.Rewrite{{Path: path, Match: match, Count: 1}}
		}
	}
	tests := []struct {
		name  string
		ports []contract.Port
		want  string
	}{
		{"right", []contract.Port{
			port("http", 80, 8080, nil), port("https", 443, 8443, rewrites("/etc/x", "^{port}")),
			port("dns", 80, 8080, func(p *contract.Port) { p.Protocol = "udp" }),
			port("stay", 22, 22, func(p *contract.Port) { p.Via, p.Unit = contract.ViaNone, "" }),
			port("kept", 81, 81, nil),
		}, ""},
		{"empty", []contract.Port{{}}, `port "": has no name: give it one
port "": protocol "" is not known: it must be "tcp" or "udp"
port "": address "" is not known: it must be "any" or "loopback"
port "": listens is 0: it must be 1 to 65535
port "": host is 0: it must be 1 to 65535
port "": has no unit: name the service before whose start it is moved or looked after
port "": via "" is not known: it must be "none", "config" or "socket"`},
		{"none that moves", []contract.Port{port("a", 80, 81, func(p *contract.Port) { p.Via = contract.ViaNone })},
			`port "a": host is 81 and listens is 80, but via is "none": give both the same number, or move it by "config" or "socket"`},
		{"config without rewrites", []contract.Port{port("a", 80, 81, func(p *contract.Port) { p.Via = contract.ViaConfig })},
			`port "a": has no rewrites, but via is "config": add one`},
		{"rewrites without config", []contract.Port{port("a", 80, 81, func(p *contract.Port) {
			rewrites("/etc/x", "^{port}")(p)
			p.Via = contract.ViaSocket
		})}, `port "a": has rewrites, but via is "socket": remove them, or give it "config"`},
		{"guard without unit", []contract.Port{port("a", 80, 80, func(p *contract.Port) { p.Via, p.Unit, p.Guarded = contract.ViaNone, "", true })},
			`port "a": has no unit: name the service before whose start it is moved or looked after`},
		{"path", []contract.Port{port("a", 80, 81, rewrites("/etc/../x", "^{port}"))},
			`port "a": path "/etc/../x": it must be absolute, of a file, and without "." and ".."`},
		{"match", []contract.Port{port("a", 80, 81, rewrites("/etc/x", "^80"))},
			`port "a": path "/etc/x": The match "^80" holds {port} 0 times. Write it once, where the number stands.`},
		{"same place", []contract.Port{port("a", 80, 8080, nil), port("a", 80, 8080, nil)}, `port "a": stands in the map twice: rename one
port "a": listens on 80/tcp as port "a" does: merge the two
port "a": lands on 8080/tcp of the host as port "a" does: give one another number`},
		{"one lands on the other", []contract.Port{port("a", 80, 443, nil), port("b", 443, 8443, nil)},
			`port "a": lands on 443/tcp, which port "b" binds before it is moved: give it another number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := Validate(tt.ports); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
