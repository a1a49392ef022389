package ufm_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	installer = "ufm-6.23.1-6.standin"
	product   = installer + "/ufm-repo/opt/ufm"
	share     = "../../../images/ufm/rootfs/usr/share/ibforge/ufm"
)

// output runs a program and gives standard output, standard error, and whether
// it exited with 0.
func output(t *testing.T, argv ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), faults.String(), err == nil
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// changed gives the lines that are not in both; none is moved.
func changed(before, after string) string {
	old, have := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out strings.Builder
	for len(old) > 0 || len(have) > 0 {
		switch {
		case len(old) > 0 && len(have) > 0 && old[0] == have[0]:
			old, have = old[1:], have[1:]
		case len(old) > 0 && !slices.Contains(have, old[0]):
			out.WriteString("-" + old[0] + "\n")
			old = old[1:]
		default:
			out.WriteString("+" + have[0] + "\n")
			have = have[1:]
		}
	}
	return out.String()
}

// What the image does to UFM's gv.cfg: its own defaults, and the operator's
// settings over them.
func TestSettingsOfGvCfg(t *testing.T) {
	t.Parallel()
	gv := filepath.Join(product, "files/conf/gv.cfg.org")
	raw, err := os.ReadFile(gv)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ settings, want, faults string }{
		"defaults": {"", "-default_membership = full\n+default_membership = limited\n", ""},
		"over the defaults": {
			"[MngNetwork]\ndefault_membership = full\n", "", "",
		},
		"new key, known key, key of some section": {
			"# comment\n[*]\nfabric_interface = ib1\n\n[Server]\nsite_name = one = two\nnew_key=1\n[MngNetwork]\ndefault_membership=full\n",
			"-site_name =\n+site_name = one = two\n-fabric_interface = ib0\n+fabric_interface = ib1\n+new_key = 1\n", "",
		},
		"all faults at once": {
			"lost = 1\n[Serve]\na = b\n[*]\nnope = 1\n[Server]\nrest_port = 1\nfoo\nsite_name = a\nsite_name = b\n", "",
			`FILE:1: "lost" stands in no section: write "[Section]", or "[*]" for the one in which UFM has it, above it
FILE:7: rest_port cannot be set here: the image's contract says where UFM listens, and moves the port on the host. Remove the line
FILE:8: "foo" is no setting: write "key = value"
FILE:10: "site_name" of [Server] is set twice, in line 9 too: remove one
FILE:3: UFM's gv.cfg has no section [Serve]: check its name
FILE:5: UFM's gv.cfg has "nope" 0 times, and [*] needs it once: check its name, or name its section
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := write(t, "gv.cfg", c.settings)
			out, faults, ok := output(t, "awk", "-f", filepath.Join(share, "gv-cfg.awk"), filepath.Join(share, "gv.cfg"), file, gv)
			if got := strings.ReplaceAll(faults, file, "FILE"); got != c.faults || ok != (c.faults == "") {
				t.Errorf("exit 0: %t, faults:\n%s\nwant:\n%s", ok, got, c.faults)
			}
			if !ok {
				if out != "" {
					t.Errorf("with faults it printed:\n%s", out)
				}
				return
			}
			if got := changed(string(raw), out); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

// The same settings again change nothing: ufm-configure runs at every start.
func TestSettingsOfGvCfgAreKept(t *testing.T) {
	t.Parallel()
	settings := write(t, "gv.cfg", "[Server]\nnew_key = a b\nsite_name =  cloud\n")
	merge := func(gv string) string {
		out, faults, ok := output(t, "awk", "-f", filepath.Join(share, "gv-cfg.awk"), settings, gv)
		if !ok {
			t.Fatal(faults)
		}
		return out
	}
	once := merge(filepath.Join(product, "files/conf/gv.cfg.org"))
	if twice := merge(write(t, "merged", once)); twice != once {
		t.Errorf("changed by the second time:\n%s", changed(once, twice))
	}
}

// The stand-in's shell functions, of which NVIDIA's own scripts show the use.
func TestCommonFunctions(t *testing.T) {
	t.Parallel()
	file := write(t, "x.cfg", "[A]\nkey = 1\nkey2 = 2\n[B]\nkey = 3\n")
	script := `. "$1/scripts/common"
UpdCfg "$2" B key "four words, one & \\ two"
UpdCfg "$2" A new x
UpdCfg "$2" C key y
GetCfg "$2" B key; GetCfg "$2" A key2; GetCfg "$2" A none; cat "$2"`
	out, faults, ok := output(t, "sh", "-ec", script, "sh", product, file)
	want := "four words, one & \\ two\n2\n[A]\nkey = 1\nkey2 = 2\nnew = x\n[B]\nkey = four words, one & \\ two\n[C]\nkey = y\n"
	if !ok || out != want {
		t.Errorf("got:\n%s%s\nwant:\n%s", out, faults, want)
	}
}

// The installer refuses ports that somebody holds, and no others: 18080 and a
// connection to port 8081 are nobody's business.
func TestPortGate(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace of its own needs root")
	}
	if out, err := exec.CommandContext(t.Context(), "unshare", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespace: %v: %s", err, out)
	}
	hold := `
import socket, subprocess, sys
held = []
for kind, port in ((socket.SOCK_STREAM, 8081), (socket.SOCK_STREAM, 18080), (socket.SOCK_DGRAM, 6306)):
    s = socket.socket(socket.AF_INET, kind)
    s.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    held.append(s)
sys.exit(subprocess.call(sys.argv[1:]))`
	log := filepath.Join(t.TempDir(), "log")
	script := "sed 's|^PREREQ_LOG=.*|PREREQ_LOG=" + log + "|' \"$1/common_defines\" >\"$2/common_defines\" && cp \"$1/functions\" \"$1/check_ports.sh\" \"$2\" && exec \"$2/check_ports.sh\""
	out, faults, ok := output(t, "unshare", "--net", "python3", "-c", hold, "sh", "-c", script, "sh", installer, t.TempDir())
	var failed []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "FAILED") {
			failed = append(failed, strings.TrimSpace(line))
		}
	}
	want := "[*] tcp port 8081 ... [FAILED] tcp port 8081 is in use|[*] udp port 6306 ... [FAILED] udp port 6306 is in use"
	if got := strings.Join(failed, "|"); got != want || ok {
		t.Errorf("exit 0: %t, failed: %s\n%s%s", ok, got, out, faults)
	}
}
