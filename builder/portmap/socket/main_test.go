package socket

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/contract"
)

// childVariable makes this test binary a process that does what is written to
// its standard input; see actor.
const childVariable = "IBFORGE_SOCKET_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		serve(os.Stdin, os.Stdout)
		return
	}
	sweep()
	code := m.Run()
	sweep()
	os.Exit(code)
}

const (
	testBPF  = "/sys/fs/bpf"
	testName = "ibforge-test-"
)

// sweep removes what this process, or one that is gone, has left behind.
func sweep() {
	root, err := findCgroupRoot("")
	if err != nil {
		return
	}
	name := regexp.MustCompile(`^` + testName + `([0-9]+)-`)
	for _, dir := range []string{testBPF, root} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			found := name.FindStringSubmatch(e.Name())
			if found == nil {
				continue
			}
			pid, _ := strconv.Atoi(found[1])
			if pid == os.Getpid() || errors.Is(syscall.Kill(pid, 0), unix.ESRCH) {
				removeTree(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// removeTree removes pins, and cgroups, whose files go with their directory.
func removeTree(dir string) {
	var all []string
	_ = filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		all = append(all, p)
		return err
	})
	for i := len(all) - 1; i >= 0; i-- {
		_ = os.Remove(all[i])
	}
}

// need skips a test that cannot run here, or fails it where all have to.
func need(tb testing.TB) {
	tb.Helper()
	why := ""
	if os.Geteuid() != 0 {
		why = "hooks in the kernel need root: run the tests as root"
	} else if _, err := findCgroupRoot(""); err != nil {
		why = err.Error()
	} else if err := mountBPF(DefaultPinRoot); err != nil {
		why = err.Error()
	}
	switch {
	case why == "":
	case os.Getenv("IBFORGE_TEST_REQUIRE") == "1":
		tb.Fatal(why + ", and IBFORGE_TEST_REQUIRE=1 says that this test has to run")
	default:
		tb.Skip(why)
	}
}

// bench is one service with a cgroup, pins and ports of its own.
type bench struct {
	testing.TB
	o      Options
	cgroup string
	ports  map[int]bool
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	need(tb)
	root, err := findCgroupRoot("")
	if err != nil {
		tb.Fatal(err)
	}
	pins, err := os.MkdirTemp(testBPF, fmt.Sprintf("%s%d-", testName, os.Getpid())) //nolint:usetesting // pins need a BPF file system
	if err != nil {
		tb.Fatal(err)
	}
	b := &bench{TB: tb, o: Options{CgroupRoot: root, PinRoot: pins}, cgroup: "/" + filepath.Base(pins), ports: map[int]bool{}}
	tb.Cleanup(func() {
		removeTree(pins)
		removeTree(b.dir())
	})
	return b
}

func (b *bench) dir() string { return b.o.CgroupRoot + b.cgroup }

func (b *bench) portMap(ports ...contract.Port) contract.PortMap {
	return contract.PortMap{Version: contract.PortMapVersion, Service: "svc", Cgroup: b.cgroup, Ports: ports}
}

// socketPort is a port that is moved below the service.
func socketPort(protocol string, listens, host int) contract.Port {
	return contract.Port{
		Name: fmt.Sprint(protocol, listens), Protocol: protocol, Address: "any", Listens: listens, Host: host,
		Via: contract.ViaSocket, Unit: "x.service", Rewrites: []contract.Rewrite{},
	}
}

// freePort gives a number that nobody holds, and that it has not given before.
// It lies below those that the kernel gives to clients (ip_local_port_range).
func (b *bench) freePort() int {
	b.Helper()
	const first, span = 20000, 12000
	for range span {
		port := first + rand.N(span) //nolint:gosec // no secret
		if !b.ports[port] && free(port) {
			b.ports[port] = true
			return port
		}
	}
	b.Fatal("no free port")
	return 0
}

func free(port int) bool {
	for _, network := range []string{"tcp6", "udp6"} {
		fd, errno := newSocket(network)
		if errno != nil {
			return false
		}
		errno = unix.Bind(fd, &unix.SockaddrInet6{Port: port})
		_ = unix.Close(fd)
		if errno != nil {
			return false
		}
	}
	return true
}

func (b *bench) attach(m contract.PortMap) Result {
	b.Helper()
	r, err := Attach(m, b.o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// needNetwork skips the test where the kernel has no such sockets.
func (b *bench) needNetwork(network string) {
	b.Helper()
	fd, err := newSocket(network + "4")
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT) {
		b.Skip("this kernel has no " + network)
	}
	_ = unix.Close(fd)
}

// inside starts a process in the service's cgroup, or one below it.
func (b *bench) inside(below ...string) *actor {
	b.Helper()
	dir := filepath.Join(append([]string{b.dir()}, below...)...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	return startActor(b.TB, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())})
}

// outside acts from this process, which is in no service's cgroup.
func (b *bench) outside() *actor {
	o := newOperator()
	b.Cleanup(o.closeAll)
	return &actor{TB: b.TB, call: o.do}
}

func startActor(tb testing.TB, attr *syscall.SysProcAttr) *actor {
	tb.Helper()
	c := exec.CommandContext(tb.Context(), "/proc/self/exe")
	c.Env = append(os.Environ(), childVariable+"=1")
	c.SysProcAttr = attr
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	a := &actor{TB: tb, process: c.Process}
	a.stop = func() {
		_ = in.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	tb.Cleanup(func() { a.stop() })
	enc, dec := json.NewEncoder(in), json.NewDecoder(out)
	a.call = func(q call) (r reply) {
		if err := enc.Encode(q); err != nil {
			tb.Fatal(err)
		}
		if err := dec.Decode(&r); err != nil {
			tb.Fatal(err)
		}
		return r
	}
	return a
}

// serve does calls until the caller is gone.
func serve(in io.Reader, out io.Writer) {
	runtime.LockOSThread() // capabilities are a thread's
	o, dec, enc := newOperator(), json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q call
		if dec.Decode(&q) != nil || enc.Encode(o.do(q)) != nil { //nolint:errchkjson // it is checked
			return
		}
	}
}

// programs counts what is attached to a cgroup itself, over all hooks in use.
func programs(tb testing.TB, dir string) map[string]int {
	tb.Helper()
	f, err := os.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	all := socketPort("udp", 1, 2)
	all.Guarded = true
	out := map[string]int{}
	for _, h := range hooksOf(contract.PortMap{Ports: []contract.Port{all}}, owner{}) {
		r, err := link.QueryPrograms(link.QueryOptions{Target: int(f.Fd()), Attach: h.attach})
		if err != nil {
			tb.Fatal(err)
		}
		if len(r.Programs) > 0 {
			out[h.attach.String()] = len(r.Programs)
		}
	}
	return out
}
