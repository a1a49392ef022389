package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/socket"
)

// bench is a place for pins and a cgroup of the test's own.
type bench struct {
	*testing.T
	pins, cgroup, dir string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("IBFORGE_TEST_REQUIRE") == "1" {
			t.Fatal("hooks in the kernel need root, and IBFORGE_TEST_REQUIRE=1 says that this test has to run")
		}
		t.Skip("hooks in the kernel need root: run the tests as root")
	}
	name := fmt.Sprintf("ibforge-test-%d-%s", os.Getpid(), strings.ToLower(t.Name()))
	return &bench{T: t, pins: "/sys/fs/bpf/" + name, cgroup: "/" + name, dir: t.TempDir()}
}

// clean removes the cgroup that the test has made, which the program leaves
// alone. The directory of pins went with the last service's.
func (b *bench) clean(cgroup string) {
	if err := os.Remove(cgroup); err != nil {
		b.Error(err)
	}
	if err := os.Remove(b.pins); !errors.Is(err, fs.ErrNotExist) {
		b.Errorf("%s is still there, or: %v", b.pins, err)
	}
}

func (b *bench) write(name, service string, ports ...contract.Port) string {
	b.Helper()
	raw, err := json.Marshal(contract.PortMap{Version: 1, Service: service, Cgroup: b.cgroup, Ports: ports})
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// run calls the program and wants this exit status and these texts.
func (b *bench) run(status int, stdout, stderr string, args ...string) string {
	b.Helper()
	var out, errs bytes.Buffer
	args = append([]string{args[0], "-pin-root", b.pins}, args[1:]...)
	if got := run(args, &out, &errs); got != status {
		b.Errorf("%q: status %d, want %d", args, got, status)
	}
	if !strings.Contains(out.String(), stdout) || !strings.Contains(errs.String(), stderr) || (stderr == "") != (errs.Len() == 0) {
		b.Errorf("%q: got\n%s%s\nwant %q and %q", args, &out, &errs, stdout, stderr)
	}
	return out.String()
}

func https(host int) contract.Port {
	return contract.Port{
		Name: "https", Protocol: "tcp", Address: "any", Listens: 443, Host: host,
		Via: contract.ViaSocket, Unit: "web.service", Rewrites: []contract.Rewrite{},
	}
}

func TestVerbs(t *testing.T) {
	b := newBench(t)
	file := b.write("ib_ufm.json", "ib_ufm", https(8443))
	b.run(0, "no service has its ports moved", "", "show")
	b.run(0, "[]", "", "show", "-json")
	b.run(1, "", "nothing is attached on this host", "check", file)
	b.run(0, "ib_ufm: was not attached", "", "detach", "ib_ufm")

	out := b.run(0, "ib_ufm: attached, 8 hooks for ", "", "attach", "--all", b.dir)
	_, cgroup, _ := strings.Cut(strings.TrimSpace(out), "8 hooks for ")
	t.Cleanup(func() { b.clean(cgroup) })
	b.run(0, "ib_ufm: unchanged, 8 hooks", "", "attach", file)
	b.run(0, "ib_ufm: in force", "", "check", file)
	b.run(0, "ib_ufm   https  443/tcp     8443/tcp  socket  all      no    "+b.cgroup+"\n", "", "show")
	var states []socket.State
	if err := json.Unmarshal([]byte(b.run(0, "", "", "show", "-json")), &states); err != nil || len(states) != 1 || states[0].Map.Ports[0].Host != 8443 {
		t.Errorf("got %+v, %v", states, err)
	}

	p := https(8444)
	p.Guarded = true
	file = b.write("ib_ufm.json", "ib_ufm", p)
	b.run(1, "", file+": the port map of ib_ufm is not in force: hook guard4 is not attached", "check", file)
	b.run(0, "ib_ufm: attached, 10 hooks", "", "attach", file)
	b.run(0, "own processes", "", "show")

	f, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sleep := exec.CommandContext(t.Context(), "sleep", "1000")
	sleep.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	b.run(1, "", "ib_ufm runs, and would take its own port numbers", "detach", "ib_ufm")
	b.run(0, "in force", "", "check", file)
	b.run(0, "ib_ufm: detached", "", "detach", "-force", "ib_ufm")
	b.run(1, "", "not in force", "check", file)
	_ = sleep.Process.Kill()
	_ = sleep.Wait()

	b.run(0, "ib_ufm: attached", "", "attach", file)
	p.Via, p.Host, p.Guarded = contract.ViaNone, 443, false
	b.run(0, "ib_ufm: detached, needs no hooks", "", "attach", b.write("ib_ufm.json", "ib_ufm", p))
}

// One wrong file does not keep the others from being put in force.
func TestFaultyFiles(t *testing.T) {
	b := newBench(t)
	good := b.write("b.json", "good", https(8443))
	b.write("c.json", "good", https(8445))
	for name, text := range map[string]string{
		"a.json": `{"version": 1, "service": "a", "cgruop": "/a"}`,
		"d.json": `{"version": 1} {}`,
		"e.json": `{"version": 3, "service": "e", "cgroup": "/e", "ports": []}`,
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	if got := run([]string{"attach", "-pin-root", b.pins, "-all", b.dir}, &out, &errs); got != exitFailed {
		t.Errorf("status %d", got)
	}
	for _, want := range []string{
		`a.json: json: unknown field "cgruop"`,
		"c.json: " + good + " has the port map of service good already",
		"d.json: there is more after the port map",
		"e.json: invalid port map: version is 3",
	} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("got\n%s\nwant in it %s", &errs, want)
		}
	}
	_, cgroup, ok := strings.Cut(strings.TrimSpace(out.String()), "good: attached, 8 hooks for ")
	if !ok {
		t.Fatalf("got %s", &out)
	}
	t.Cleanup(func() { b.clean(cgroup) })
	b.run(0, "good: detached", "", "detach", "good")
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, exitUsage, "a verb is missing"},
		{[]string{"atach"}, exitUsage, `"atach" is no verb`},
		{[]string{"attach"}, exitUsage, "attach wants either files or -all DIR"},
		{[]string{"attach", "-all", "/x", "y"}, exitUsage, "attach wants either files or -all DIR"},
		{[]string{"check"}, exitUsage, "check wants files"},
		{[]string{"detach"}, exitUsage, "detach wants names of services"},
		{[]string{"show", "x"}, exitUsage, "show wants no arguments"},
		{[]string{"show", "-jsn"}, exitUsage, "flag provided but not defined: -jsn"},
		{[]string{"-h"}, exitDone, "ibforge-portmap attach FILE..."},
		{[]string{"show", "-h"}, exitDone, "ibforge-portmap attach FILE..."},
		{[]string{"attach", "/does/not/exist.json"}, exitFailed, "/does/not/exist.json: no such file"},
		{[]string{"attach", "-all", "/does/not/exist"}, exitFailed, "/does/not/exist: no such file"},
		{[]string{"detach", "../x"}, exitFailed, `service is "../x"`},
	} {
		var out, errs bytes.Buffer
		if got := run(c.args, &out, &errs); got != c.status || !strings.Contains(out.String()+errs.String(), c.want) {
			t.Errorf("%q: status %d, want %d; got\n%s%s\nwant %s", c.args, got, c.status, &out, &errs, c.want)
		}
	}
}

// The program runs on hosts whose libc nobody knows.
func TestStandsAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "agent")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", name, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it is linked dynamically")
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 8 << 20
	if info.Size() > limit {
		t.Errorf("it is %d bytes large, more than %d", info.Size(), limit)
	}
	if out, err := exec.CommandContext(t.Context(), name, "-h").Output(); err != nil || !strings.Contains(string(out), "Exit status") {
		t.Errorf("%v\n%s", err, out)
	}
}
