package portmap

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
)

// writeMap puts a port map where an image has it.
func writeMap(t *testing.T, root string, ports ...contract.Port) {
	t.Helper()
	data, err := portMap(ports...).MarshalIndented()
	if err != nil {
		t.Fatal(err)
	}
	put(t, root, contract.PortMapPath, string(data))
}

type outcome struct {
	Status         int
	Stdout, Stderr string
}

// run is the helper with a gate that is open, or closed for a reason.
func run(closed error, args ...string) outcome {
	var out, errs bytes.Buffer
	h := Helper{Stdout: &out, Stderr: &errs, Version: "v1", gate: func([]contract.Port) error { return closed }}
	status := h.Run(args)
	return outcome{status, out.String(), errs.String()}
}

func TestHelper(t *testing.T) {
	config := func() []contract.Port { return []contract.Port{http(listen, 1), at("/etc/ssl.conf", https(listen, 2))} }
	closed := errors.New("the hooks are not in force: attach them")
	tests := []struct {
		name   string
		files  map[string]string
		ports  []contract.Port
		closed error
		args   []string
		want   outcome
		after  map[string]string
	}{
		{
			"start", map[string]string{file: "Listen 80\n", "/etc/ssl.conf": "Listen 443\nListen 443\n"}, config(), closed, []string{"start", "--unit", unit},
			outcome{0, "", `ports: /etc/apache2/ports.conf: rewritten
ports: /etc/ssl.conf: rewritten
ports: port http: 80/tcp -> 8080 by config
ports: port https: 443/tcp -> 8443 by config
`},
			map[string]string{
				file: "Listen 8080\n", "/etc/ssl.conf": "Listen 8443\nListen 8443\n",
				recordFile:                     `{"version":1,"written":{"80/tcp":[8080]}}` + "\n",
				"/etc/.ssl.conf.ibforge-ports": `{"version":1,"written":{"443/tcp":[8443]}}` + "\n",
			},
		},
		{
			"start with faults", map[string]string{file: "Listen 80\nListen 80\n"}, config(), nil, []string{"start", "--unit", unit},
			outcome{1, "", `ports: /etc/ssl.conf: port https: no such file or directory: correct the path in the description, or order the unit after the one that makes the file
ports: /etc/apache2/ports.conf: port http: match "^\\s*Listen\\s+{port}\\s*$": wanted 1, found 2: looked for 80, 8080: compare the file with the match and the count in the description, which are for another version of the service
`}, nil,
		},
		{
			"start with an open gate", map[string]string{file: "Listen 80\n"}, hooked(), nil, []string{"start", "--unit", unit},
			outcome{0, "", `ports: /etc/apache2/ports.conf: rewritten
ports: port https: 443/tcp -> 8443 by socket
ports: port http: 80/tcp -> 8080 by config
`},
			map[string]string{file: "Listen 8080\n", recordFile: `{"version":1,"written":{"80/tcp":[8080]}}` + "\n"},
		},
		{
			"start with a closed gate", map[string]string{file: "Listen 80\n"}, hooked(), closed, []string{"start", "--unit", unit},
			outcome{1, "", "ports: the hooks are not in force: attach them\n"}, nil,
		},
		{
			"start with a closed gate and faults", nil, hooked(), closed, []string{"start", "--unit", unit},
			outcome{1, "", `ports: the hooks are not in force: attach them
ports: /etc/apache2/ports.conf: port http: no such file or directory: correct the path in the description, or order the unit after the one that makes the file
`}, nil,
		},
		{
			"start of a unit with a guarded port", nil, hooked(), closed, []string{"start", "--unit", "ufmd.service"},
			outcome{1, "", "ports: the hooks are not in force: attach them\n"}, nil,
		},
		{
			"start of a unit that nobody knows", map[string]string{file: "Listen 80\n"}, hooked(), nil, []string{"start", "--unit", "httpd.service"},
			outcome{1, "", "ports: httpd.service has no port that is moved or guarded by ROOT/etc/ibforge/ports.json, which names apache2.service, ufmd.service: correct --unit in its drop-in, or the unit of the port\n"}, nil,
		},
		{
			"check", map[string]string{file: "Listen 80\n"}, hooked(), nil, []string{"check"},
			outcome{0, `apache2.service
  port https: 443/tcp -> 8443 by socket
  port http: 80/tcp -> 8080 by config
  /etc/apache2/ports.conf: would be rewritten
ufmd.service
  port rest: 8000/tcp, guarded
socket hooks: in force
`, ""}, nil,
		},
		{
			"check with faults", map[string]string{"/etc/ssl.conf": "Listen 8443\nListen 8443\n"}, append(config(), hooked()[1]), closed, []string{"check"},
			outcome{1, `apache2.service
  port http: 80/tcp -> 8080 by config
  port https: 443/tcp -> 8443 by config
  /etc/ssl.conf: is right already
ufmd.service
  port rest: 8000/tcp, guarded
`, `ports: /etc/apache2/ports.conf: port http: no such file or directory: correct the path in the description, or order the unit after the one that makes the file
ports: the hooks are not in force: attach them
`}, nil,
		},
		{
			"check of nothing", nil, nil, closed, []string{"check"},
			outcome{0, "no port is moved or guarded: there is nothing to do\n", ""}, nil,
		},
		{
			"a map that is wrong", nil, []contract.Port{to(443, http(listen, 1)), https("^", 1)}, nil, []string{"check"},
			outcome{1, "", `ports: ROOT/etc/ibforge/ports.json: port "http": lands on 443/tcp, which port "https" binds before it is moved: give it another number
ports: ROOT/etc/ibforge/ports.json: port "https": path "/etc/apache2/ports.conf": The match "^" holds {port} 0 times. Write it once, where the number stands.
`}, nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, tt.files)
			writeMap(t, root, tt.ports...)
			got := run(tt.closed, append(tt.args, "--root", root)...)
			got.Stderr = string(bytes.ReplaceAll([]byte(got.Stderr), []byte(root), []byte("ROOT")))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := os.Remove(root + contract.PortMapPath); err != nil {
				t.Fatal(err)
			}
			want := tt.after
			if want == nil { // nothing may change
				want = with(tt.files, nil)
			}
			if diff := cmp.Diff(want, contents(t, root)); diff != "" {
				t.Errorf("the files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHelperMap(t *testing.T) {
	root := tree(t, map[string]string{file: "Listen 80\n", "/site.json": `{"version":1,"service":"web","ports":[],"colour":1}`})
	gone := root + contract.PortMapPath
	for want, args := range map[string][]string{
		"ports: the port map: open " + gone + ": no such file or directory: an image with ports has it at /etc/ibforge/ports.json; look what is mounted there, or give --map\n": {"check", "--root", root},
		"ports: " + root + "/site.json: the port map is not one JSON object as this ibforge writes it: json: unknown field \"colour\"\n":                                        {"check", "--root", root, "--map", root + "/site.json"},
	} {
		if diff := cmp.Diff(outcome{1, "", want}, run(nil, args...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
}

func TestHelperUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "there is no command: use start or check"},
		{[]string{"stop"}, `there is no command "stop": use start or check`},
		{[]string{"start"}, "start needs --unit: the service that is about to start"},
		{[]string{"check", "x"}, `"x" is one argument too many: remove it`},
		{[]string{"check", "--unit", "x"}, "the arguments: flag provided but not defined: -unit"},
		{[]string{"--version", "check"}, `"check" is one argument too many: remove it`},
	} {
		if diff := cmp.Diff(outcome{2, "", "ports: " + tt.want + "\n" + usage}, run(nil, tt.args...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.args, diff)
		}
	}
	for _, args := range [][]string{{"--help"}, {"start", "-h"}} {
		if diff := cmp.Diff(outcome{0, usage, ""}, run(nil, args...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
	if diff := cmp.Diff(outcome{0, "ibforge ports v1, port map version 1\n", ""}, run(nil, "--version")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
