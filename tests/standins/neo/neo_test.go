// Package neo_test tries those parts of NEO's stand-in, and of its image, that
// need no container. The rest is seen where the image is built and booted.
package neo_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const libraries = "../../../images/neo/rootfs/usr/lib/ibforge/neo"

// python runs the machine's Python without leaving compiled files in the tree,
// which would become part of the archive.
func python(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{"-B"}, args...)...)
	text, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return string(text), err == nil
}

func TestSourcesParse(t *testing.T) {
	var sources []string
	for _, pattern := range []string{"neo/*/*.py", "neo/common/*/*/*.py", "neo/common/*/*/*/*.py", libraries + "/*.py"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	if len(sources) < 12 {
		t.Fatalf("only %d sources: %v", len(sources), sources)
	}
	// The product runs under Python 2.7, whose parser is not at hand: what it
	// lacks and is easily written is looked for by name.
	const check = `
import ast, sys
for path in sys.argv[1:]:
    for node in ast.walk(ast.parse(open(path).read(), path)):
        if isinstance(node, (ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.Nonlocal, ast.AsyncFunctionDef, ast.YieldFrom)):
            sys.exit("%s:%d: not in Python 2.7" % (path, node.lineno))
        if isinstance(node, ast.FunctionDef) and (node.args.kwonlyargs or node.returns):
            sys.exit("%s:%d: not in Python 2.7" % (path, node.lineno))
        if isinstance(node, ast.Raise) and node.cause:
            sys.exit("%s:%d: not in Python 2.7" % (path, node.lineno))
`
	if out, ok := python(t, append([]string{"-c", check}, sources...)...); !ok {
		t.Error(out)
	}
	for _, script := range []string{"neo/neo-installer.sh", "neo/neoservice"} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", script, out)
		}
	}
}

func TestValidatorRefusesBusyPort(t *testing.T) {
	tcp, free := hold(t, "tcp4")
	udp, freeToo := hold(t, "udp4")

	conf := filepath.Join(t.TempDir(), "netservice.cfg")
	text := fmt.Sprintf("[Own]\nbind_address = 127.0.0.1\nport = %s\ntrap_udp_port = %s\n[Protocol]\nssh_port = %s\n[Peer]\naddress = 127.0.0.1:%s\n", tcp, udp, tcp, tcp)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	validate := func() (string, bool) {
		return python(t, "-O", "neo/common/netservices/common/utils/ports_validator.py", "-f", conf, "--exclude-patterns", `Protocol::[\w]+`)
	}
	out, ok := validate()
	want := []string{"port " + tcp + "/tcp of Own::port is already in use", "port " + udp + "/udp of Own::trap_udp_port is already in use"}
	for _, w := range want {
		if ok || !strings.Contains(out, w) {
			t.Errorf("status 0 is %t, want false; output does not say %q:\n%s", ok, w, out)
		}
	}
	if strings.Contains(out, "Protocol") || strings.Contains(out, "Peer") {
		t.Errorf("a port of another machine was tried:\n%s", out)
	}
	free()
	freeToo()
	if out, ok := validate(); !ok {
		t.Errorf("refused, though both ports are free:\n%s", out)
	}
}

// hold takes a port of 127.0.0.1 until free is called.
func hold(t *testing.T, network string) (port string, free func()) {
	t.Helper()
	const chosen = "127.0.0.1:0" // by the kernel
	var address net.Addr
	var socket io.Closer
	if network == "udp4" {
		s, err := (&net.ListenConfig{}).ListenPacket(t.Context(), network, chosen)
		if err != nil {
			t.Fatal(err)
		}
		address, socket = s.LocalAddr(), s
	} else {
		s, err := (&net.ListenConfig{}).Listen(t.Context(), network, chosen)
		if err != nil {
			t.Fatal(err)
		}
		address, socket = s.Addr(), s
	}
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return port, func() {
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
	}
}

// judge reads a configuration directory the way neo-configure does, and gives
// the faults, one in a line.
func judge(t *testing.T, files map[string]string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	const driver = `
import sys
sys.path.insert(0, sys.argv[1])
import config
for name in ("PASSWORD", "SYSLOG", "CERTIFICATE", "KEY"):
    setattr(config, name, getattr(config, name).replace(config.DIRECTORY, sys.argv[2]))
print("\n".join(config.Config().faults))
`
	out, ok := python(t, "-c", driver, libraries, dir)
	if !ok {
		t.Fatal(out)
	}
	return strings.TrimSpace(strings.ReplaceAll(out, dir, "DIR"))
}

const goodSyslog = `{"web_info_log": {"active": true, "severity": "INFO"}, "event_log": {"active": false, "severity": "ERROR"},
"controller_log": {"active": true, "severity": "WARNING"}, "mode": true,
"destination": [{"ip": "192.0.2.1", "port": "514", "protocol": "udp", "severity": "INFO"}]}`

func TestConfigFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		mode  os.FileMode
		want  []string // each in the faults, one for each line
	}{
		"valid-empty":             {},
		"valid-password":          {files: map[string]string{"admin_password": "s3cret+Neo\n"}},
		"valid-all":               {files: map[string]string{"admin_password": "abcd", "syslog.json": goodSyslog, "tls.crt": "x", "tls.key": "x"}},
		"invalid-vendors":         {files: map[string]string{"admin_password": "123456\n"}, want: []string{"vendor's default password"}},
		"invalid-empty":           {files: map[string]string{"admin_password": "\n"}, want: []string{"it has 0 characters"}},
		"invalid-short":           {files: map[string]string{"admin_password": "abc\n"}, want: []string{"it has 3 characters"}},
		"invalid-long":            {files: map[string]string{"admin_password": strings.Repeat("é", 21)}, want: []string{"it has 21 characters"}},
		"invalid-space":           {files: map[string]string{"admin_password": " abcdef"}, want: []string{"without white space"}},
		"invalid-lines":           {files: map[string]string{"admin_password": "abcdef\nghijkl\n"}, want: []string{"one line"}},
		"invalid-mode":            {files: map[string]string{"admin_password": "abcdef", "tls.crt": "x", "tls.key": "x"}, mode: 0o644, want: []string{"DIR/admin_password has the mode 0644", "DIR/tls.key has the mode 0644"}},
		"invalid-syslog-alone":    {files: map[string]string{"syslog.json": goodSyslog}, want: []string{"DIR/syslog.json needs DIR/admin_password"}},
		"invalid-syslog-json":     {files: map[string]string{"admin_password": "abcdef", "syslog.json": "{"}, want: []string{"is no JSON"}},
		"invalid-syslog-list":     {files: map[string]string{"admin_password": "abcdef", "syslog.json": "[]"}, want: []string{"must be a JSON object"}},
		"invalid-syslog-values":   {files: map[string]string{"admin_password": "abcdef", "syslog.json": strings.NewReplacer(`"INFO"`, `"LOUD"`, `"514"`, `514`).Replace(goodSyslog)}, want: []string{`"web_info_log" must be`, "destination 1 must be"}},
		"invalid-syslog-unknown":  {files: map[string]string{"admin_password": "abcdef", "syslog.json": strings.Replace(goodSyslog, `"mode"`, `"mood"`, 1)}, want: []string{`unknown key "mood"`, `"mode" must be`}},
		"invalid-certificate":     {files: map[string]string{"tls.crt": "x"}, want: []string{"one of them is missing"}},
		"invalid-everything-said": {files: map[string]string{"admin_password": "12", "syslog.json": "[]", "tls.key": "x"}, want: []string{"it has 2 characters", "must be a JSON object", "one of them is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.mode == 0 {
				tc.mode = 0o600
			}
			out := judge(t, tc.files, tc.mode)
			var lines []string
			if out != "" {
				lines = strings.Split(out, "\n")
			}
			if len(lines) != len(tc.want) {
				t.Fatalf("%d faults, want %d:\n%s", len(lines), len(tc.want), out)
			}
			for i, w := range tc.want {
				if !strings.Contains(lines[i], w) {
					t.Errorf("fault %q does not say %q", lines[i], w)
				}
			}
		})
	}
}
