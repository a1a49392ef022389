package lab

import (
	"bytes"
	"context"
	_ "embed" // the default netlist
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// fabricStartLimit is how long ibsim may take until a client gets an answer.
// It takes some 20 ms.
const fabricStartLimit = time.Minute

//go:embed two-switches.net
var twoSwitches []byte

// FabricOptions say what [StartFabric] simulates.
type FabricOptions struct {
	// Dir is where ibsim and its clients work; they make directories sys-PID
	// there. It is created if absent.
	Dir string
	// Netfile is a topology as ibnetdiscover(8) writes it. Empty takes two
	// switches, Switch1 with the hosts Hca1 and Hca3 and Switch2 with Hca2 and
	// Hca4, and two links between them.
	Netfile string
	// Network is the path of the network namespace to simulate it in, such as
	// [Host.Network]: the simulator's abstract sockets cannot be seen from
	// another. Empty is that of this process. Another one takes root.
	Network string
	// Log receives ibsim's messages; nil keeps only their end for errors.
	Log io.Writer
}

// Fabric is an InfiniBand fabric simulated by ibsim: its management plane, not
// its data plane. Subnet managers and diagnostics run on it unchanged. The
// simulator checks no M_Key and enforces no partition, and it serves ten
// clients at a time.
type Fabric struct {
	dir, socket string
	// enter begins the command line of every client.
	enter []string
	hosts []string
	proc  *process
	life  life
}

// StartFabric starts a fabric and returns when one of its hosts answers. No
// subnet manager runs on it yet. No privileges are needed.
func StartFabric(ctx context.Context, opts FabricOptions) (*Fabric, error) {
	if err := Missing(FabricTools()...); err != nil {
		return nil, err
	}
	dir, err := makeDir("fabric", opts.Dir)
	if err != nil {
		return nil, err
	}
	netlist := twoSwitches
	if opts.Netfile != "" {
		if netlist, err = os.ReadFile(opts.Netfile); err != nil {
			return nil, fmt.Errorf("lab: netlist of the fabric: %w", err)
		}
	}
	hosts := parseHosts(netlist)
	if len(hosts) == 0 {
		return nil, fmt.Errorf("lab: netlist %q has no host: it needs a line such as: Ca 1 \"Hca1\"", opts.Netfile)
	}
	f := &Fabric{dir: dir, socket: "ibforge-" + newID(), hosts: hosts}
	if opts.Network != "" {
		nsenter, err := findTool("nsenter")
		if err != nil {
			return nil, err
		}
		f.enter = []string{nsenter, "--net=" + opts.Network, "--"}
	}
	if err := f.start(ctx, netlist, opts.Log); err != nil {
		return nil, err
	}
	f.life.bind(ctx, f.Stop)
	return f, nil
}

func (f *Fabric) start(ctx context.Context, netlist []byte, log io.Writer) error {
	file := filepath.Join(f.dir, "fabric.net")
	if err := os.WriteFile(file, netlist, 0o600); err != nil {
		return fmt.Errorf("lab: fabric: %w", err)
	}
	path, err := findTool("ibsim")
	if err != nil {
		return err
	}
	// -s starts the network; -n has no console, which at the end of standard
	// input would keep a processor busy.
	f.proc, err = startProcess("ibsim", command{
		argv: f.argv(path, "-s", "-n", file), dir: f.dir, log: log, deathSignal: syscall.SIGKILL,
		env: []string{"PATH=" + searchPath, "IBSIM_SOCKNAME=" + f.socket},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fabricStartLimit)
	defer cancel()
	if err := poll(ctx, f.proc, f.answers); err != nil {
		return failedStart(err, f.Stop(ctx))
	}
	return nil
}

// argv is a program's command line in the fabric's network namespace. nsenter(1)
// becomes the program, and so keeps its process ID.
func (f *Fabric) argv(program string, args ...string) []string {
	return append(append(slices.Clone(f.enter), program), args...)
}

// answers returns nil once a host answers a MAD. The socket is looked for
// first: a client that finds none sleeps two seconds before it looks again
// (sim_attach in ibsim's umad2sim/sim_client.c).
func (f *Fabric) answers(ctx context.Context) error {
	// The table is that of the process's own network namespace (proc_net(5)).
	sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", f.proc.cmd.Process.Pid))
	if err != nil {
		return fmt.Errorf("%w: %w", errNotYet, err)
	}
	if !strings.Contains(string(sockets), "@"+f.socket+":ctl") {
		return errNotYet
	}
	_, err = f.Exec(ctx, f.observer(), "smpquery", "-D", "nodedesc", "0")
	return err
}

// Hosts returns the names of the hosts, in the netlist's order.
func (f *Fabric) Hosts() []string { return append([]string(nil), f.hosts...) }

// observer is the host that queries are made from: the last, so that subnet
// managers on the first ones are seen across the fabric.
func (f *Fabric) observer() string { return f.hosts[len(f.hosts)-1] }

// Library returns the path of libumad2sim.so. A container needs it mounted at
// the same path, the host's network, since the simulator listens on abstract
// unix sockets, and the variables of [Fabric.Environ].
func (f *Fabric) Library() string { return libraryPath() }

// Environ returns the variables that make a program believe it runs on a host
// of the fabric.
func (f *Fabric) Environ(host string) []string {
	return []string{
		"LD_PRELOAD=" + f.Library(),
		"SIM_HOST=" + host,
		"IBSIM_SOCKNAME=" + f.socket,
	}
}

// pidClash is what a client says if another one has its process ID.
const pidClash = "can't bind ctl socket: Address already in use"

// pidClashTries is how often a client is started until it has a process ID to
// itself.
const pidClashTries = 5

// Exec runs a program on a host of the fabric and returns its standard output.
// Its environment is [Fabric.Environ] and PATH. The error
// quotes both output and standard error.
//
// The simulator tells its clients by their process IDs. One in a container can
// have the same as one outside, and then the later one dies at once without
// having sent anything; Exec starts it again with another process ID.
func (f *Fabric) Exec(ctx context.Context, host string, argv ...string) ([]byte, error) {
	if len(argv) == 0 {
		return nil, errors.New("lab: nothing to run on the fabric: name a program")
	}
	path, err := findTool(argv[0])
	if err != nil {
		return nil, err
	}
	var out []byte
	for range pidClashTries {
		var stderr string
		out, stderr, err = f.execOnce(ctx, host, path, argv[1:])
		if err == nil || !strings.Contains(stderr, pidClash) {
			break
		}
	}
	return out, err
}

func (f *Fabric) execOnce(ctx context.Context, host, path string, args []string) (stdout []byte, stderr string, err error) {
	var out bytes.Buffer
	p, err := startProcess(filepath.Base(path), command{
		argv: f.argv(path, args...), dir: f.dir, stdout: &out, deathSignal: syscall.SIGKILL,
		env: append(f.Environ(host), "PATH="+searchPath),
	})
	if err != nil {
		return nil, "", err
	}
	select {
	case <-p.done:
		err = p.err
	case <-ctx.Done():
		err = errors.Join(context.Cause(ctx), p.kill())
	case <-f.proc.done:
		// Without a simulator the client would wait for one for ever.
		err = errors.Join(f.proc.endedEarly(), p.kill())
	}
	if err != nil {
		// The diagnostics write their last error to standard output.
		_, _ = p.out.Write(out.Bytes())
		err = fmt.Errorf("lab: on host %q: %s: %w%s%s", host, strings.Join(append([]string{p.name}, args...), " "),
			err, p.out.quote(), f.hint(p.out.String()))
	}
	return out.Bytes(), p.out.String(), err
}

// hint explains the client's message that says nothing of the reason.
func (f *Fabric) hint(stderr string) string {
	if !strings.Contains(stderr, "sim_init: connect failed") {
		return ""
	}
	return fmt.Sprintf("\nthe simulator refused it: either the host is not one of %s, or ten clients run already",
		strings.Join(f.hosts, ", "))
}

// Stop ends the simulator. Clients that still run must be stopped by whoever
// started them; those of [Fabric.StartOpenSM] too.
func (f *Fabric) Stop(ctx context.Context) error {
	return f.life.end(func() error { return errors.Join(f.proc.stop(ctx), f.sweep()) })
}

// sweep removes the sysfs look-alikes of clients that were killed.
func (f *Fabric) sweep() error {
	dirs, err := filepath.Glob(filepath.Join(f.dir, "sys-*"))
	errs := []error{err}
	for _, dir := range dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
