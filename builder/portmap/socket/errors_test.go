package socket

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

func TestInvalidMaps(t *testing.T) {
	p := socketPort("tcp", 443, 18443)
	clash := socketPort("tcp", 444, 18443)
	many := make([]contract.Port, 1001)
	for i := range many {
		many[i] = socketPort("tcp", 10000+i, 20000+i)
	}
	for _, c := range []struct {
		name string
		m    contract.PortMap
		want []string
	}{
		{"all at once", contract.PortMap{Version: 2, Service: "A/b", Ports: []contract.Port{p, clash}}, []string{
			"version is 2 and this program reads version 1",
			`service is "A/b": it must be of lower case letters`,
			`cgroup is ""`,
			"lands on 18443/tcp of the host as port",
		}},
		{"the whole tree", contract.PortMap{Version: 1, Service: "a", Cgroup: "/", Ports: []contract.Port{p}}, []string{`cgroup is "/"`}},
		{"out of the tree", contract.PortMap{Version: 1, Service: "a", Cgroup: "/a/../..", Ports: []contract.Port{p}}, []string{`cgroup is "/a/../.."`}},
		{"a relative path", contract.PortMap{Version: 1, Service: "a", Cgroup: "a", Ports: []contract.Port{p}}, []string{`cgroup is "a"`}},
		{"a long name", contract.PortMap{Version: 1, Service: strings.Repeat("a", 65), Cgroup: "/a", Ports: []contract.Port{p}}, []string{"no more than 64"}},
		{"many ports", contract.PortMap{Version: 1, Service: "a", Cgroup: "/a", Ports: many}, []string{"there are 1001 ports"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, attach := Attach(c.m, Options{})
			for _, err := range []error{attach, Check(c.m, Options{})} {
				if !errors.Is(err, ErrMap) {
					t.Fatalf("got %v", err)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("got %v\nwant in it %s", err, want)
					}
				}
			}
		})
	}
	if err := Detach("../x", Options{}); !errors.Is(err, ErrMap) {
		t.Errorf("detach: %v", err)
	}
}

// As many ports as are allowed are no trouble for the verifier.
func TestMostPorts(t *testing.T) {
	b := newBench(t)
	var ports []contract.Port
	for i := range maxPorts {
		p := socketPort([]string{"tcp", "udp"}[i%2], 10000+i, 20000+i)
		if i%4 < 2 {
			p = guardedOn([]string{"any", "loopback"}[i%3%2], p)
		}
		ports = append(ports, p)
	}
	m := b.portMap(ports...)
	if err := validate(m); err != nil {
		t.Fatal(err)
	}
	var u undo
	target, err := openTarget(m, b.o.CgroupRoot, &u)
	if err != nil {
		t.Fatal(err)
	}
	defer target.close()
	// Only loaded: to guard so many would be felt by all of the machine.
	hooks, err := loadHooks(m, target, loadProgram)
	if err != nil || len(hooks) != 16 {
		t.Errorf("%d hooks, %v", len(hooks), err)
	}
	closeHooks(hooks)
}

// Kernels that are not at hand, by what they answer.
func TestOldKernels(t *testing.T) {
	p := socketPort("tcp", 443, 18443)
	p.Guarded = true
	m := contract.PortMap{Version: 1, Service: "a", Cgroup: "/a", Ports: []contract.Port{p}}
	for _, c := range []struct {
		name string
		// refuse gives the error for a program.
		refuse func(s *ebpf.ProgramSpec) error
		is     error
		want   []string
	}{
		{"before 5.8", func(s *ebpf.ProgramSpec) error {
			if s.AttachType == ebpf.AttachCgroupInet4GetPeername {
				return unix.EINVAL
			}
			return nil
		}, ErrNoHooks, []string{"CgroupInet4GetPeername", "Linux since 5.8", `via = "config"`}},
		{"without the helper", func(s *ebpf.ProgramSpec) error {
			if strings.Contains(s.Name, "guard") && len(s.Instructions) > 2 {
				return &ebpf.VerifierError{Cause: unix.EACCES, Log: []string{"unknown func"}}
			}
			return nil
		}, ErrNoHooks, []string{"bpf_get_current_ancestor_cgroup_id", `via = "config"`}},
		{"no rights", func(*ebpf.ProgramSpec) error { return unix.EPERM },
			ErrNoRights, []string{"CAP_SYS_ADMIN and CAP_NET_ADMIN"}},
		{"a mistake in a program", func(s *ebpf.ProgramSpec) error {
			if s.Name == "ib_bind4" && len(s.Instructions) > 2 {
				return &ebpf.VerifierError{Cause: unix.EACCES, Log: []string{"R5 !read_ok"}}
			}
			return nil
		}, nil, []string{"loading the program for CGroupInet4Bind", "R5 !read_ok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			load := func(s *ebpf.ProgramSpec) (*ebpf.Program, error) { return nil, c.refuse(s) }
			_, err := loadHooks(m, &target{wholeTree: true}, load)
			if err = explainRights(err); err == nil {
				t.Fatal("loaded")
			}
			for _, is := range []error{ErrNoHooks, ErrNoRights} {
				if errors.Is(err, is) != errors.Is(is, c.is) {
					t.Errorf("got %v, and that it is %q: %t", err, is, errors.Is(err, is))
				}
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant in it %s", err, want)
				}
			}
		})
	}
	part, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if _, err := loadHooks(m, &target{root: part}, nil); !errors.Is(err, ErrNoCgroup) || !strings.Contains(err.Error(), "root of the tree") {
		t.Errorf("in a part of the tree: %v", err)
	}
}

func TestNoRights(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443))
	m2 := m
	m2.Ports = []contract.Port{socketPort("tcp", 443, 18444)}
	b.attach(m)
	a := startActor(t, nil)
	a.must(call{Op: "drop"})
	r := a.call(call{Op: "attach", Map: &m2, Opts: b.o})
	if r.Errno == 0 || !strings.Contains(r.Text, "no rights") || !strings.Contains(r.Text, "cure: run as root of the host, with CAP_SYS_ADMIN") {
		t.Errorf("got %+v", r)
	}
	b.check(m)

	// No more is needed than what the error names, with the pins' place mounted.
	a = startActor(t, nil)
	a.must(call{Op: "drop", Num: 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN})
	for _, want := range []string{DidUpdate, DidNothing} {
		if r := a.must(call{Op: "attach", Map: &m2, Opts: b.o}); r.Text != want {
			t.Errorf("did %q, want %q", r.Text, want)
		}
	}
	b.check(m2)
	if err := Detach(m.Service, b.o); err != nil {
		t.Fatal(err)
	}
	if r := a.must(call{Op: "attach", Map: &m, Opts: b.o}); r.Text != DidAttach {
		t.Errorf("did %q, want %q", r.Text, DidAttach)
	}
	b.check(m)
}

// Who attaches without sharing keeps others away, rights or not.
func TestNotShared(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443))
	b.attach(m)
	if err := Detach(m.Service, b.o); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(b.dir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	h := hook{name: "other", attach: ebpf.AttachCGroupInet6Bind}
	prog, err := loadProgram(h.spec(verdict("", 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	if err := link.RawAttachProgram(link.RawAttachProgramOptions{Target: int(dir.Fd()), Program: prog, Attach: h.attach}); err != nil {
		t.Fatal(err)
	}
	_, err = Attach(m, b.o)
	if !errors.Is(err, ErrNoCgroup) || errors.Is(err, ErrNoRights) || !strings.Contains(err.Error(), "another program has the hook to itself") {
		t.Errorf("got %v", err)
	}
	if got := programs(t, b.dir()); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestNoPlace(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443))
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		is   error
		want string
	}{
		{Options{PinRoot: dir, CgroupRoot: b.o.CgroupRoot}, ErrPinRoot, dir + " is in no BPF file system; cure: a directory below /sys/fs/bpf"},
		{Options{PinRoot: filepath.Join(file, "x")}, ErrPinRoot, "not a directory"},
		{Options{PinRoot: testBPF + "/with.dot"}, ErrPinRoot, "/sys/fs/bpf/with.dot"},
		{Options{PinRoot: b.o.PinRoot, CgroupRoot: dir}, ErrNoCgroup, dir + " is no cgroup v2 tree; cure: mount -t cgroup2"},
	} {
		if _, err := Attach(m, c.o); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// Two maps must not meet in one process.
func TestConflicts(t *testing.T) {
	b := newBench(t)
	m := b.portMap(socketPort("tcp", 443, 18443))
	b.attach(m)
	for _, cgroup := range []string{b.cgroup, b.cgroup + "/below"} {
		other := b.portMap(socketPort("tcp", 443, 18444))
		other.Service, other.Cgroup = "other", cgroup
		if _, err := Attach(other, b.o); !errors.Is(err, ErrNoCgroup) || !strings.Contains(err.Error(), "detach svc") {
			t.Errorf("%s: %v", cgroup, err)
		}
	}
	beside := b.portMap(socketPort("tcp", 443, 18444))
	beside.Service, beside.Cgroup = "other", b.cgroup+"-beside"
	t.Cleanup(func() { removeTree(b.o.CgroupRoot + beside.Cgroup) })
	b.attach(beside)

	// A service that runs keeps its cgroup.
	svc := b.inside()
	moved := m
	moved.Cgroup = b.cgroup + "-moved"
	t.Cleanup(func() { removeTree(b.o.CgroupRoot + moved.Cgroup) })
	if _, err := Attach(moved, b.o); !errors.Is(err, ErrNoCgroup) || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("moved while it runs: %v", err)
	}
	b.check(m)
	svc.stop()
	b.attach(moved)
	b.check(moved)
	if got := programs(t, b.dir()); len(got) != 0 {
		t.Errorf("the old cgroup still has %v", got)
	}
}

// A guard of one service must not shut another one out, least of all that of a
// service which is long gone.
func TestGuardConflict(t *testing.T) {
	b := newBench(t)
	b.attach(b.portMap(guardedOn("loopback", socketPort("tcp", 8000, 18000))))
	other := b.portMap(socketPort("tcp", 5000, 18000))
	other.Service, other.Cgroup = "other", b.cgroup+"-other"
	t.Cleanup(func() { removeTree(b.o.CgroupRoot + other.Cgroup) })
	_, err := Attach(other, b.o)
	if !errors.Is(err, ErrMap) || !strings.Contains(err.Error(), "18000/tcp on the host") || !strings.Contains(err.Error(), "detach svc") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(b.o.CgroupRoot + other.Cgroup); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the refused one has a cgroup: %v", err)
	}
}

func TestCgroup2Trees(t *testing.T) {
	const table = `24 23 0:22 / /proc rw,nosuid shared:5 - proc proc rw
30 24 0:26 /docker/abc /sys/fs/cgroup ro,nosuid master:9 - cgroup2 cgroup rw
31 24 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
32 24 0:28 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw
short line
`
	got, err := cgroup2Trees(strings.NewReader(table))
	if err != nil || len(got) != 1 || got[0] != "/sys/fs/cgroup/unified" {
		t.Errorf("got %q, %v", got, err)
	}
}
