package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
)

// portsPatience is how long a port may take to open once its unit is active.
const portsPatience = 10 * time.Second

// ephemeral is where the kernel's own choice of ports begins, unless somebody
// set net.ipv4.ip_local_port_range. A UDP socket there is a client's.
const ephemeral = 32768

// endpoint is a port that a process of the container has open.
type endpoint struct {
	protocol string
	port     int
}

func (e endpoint) String() string { return fmt.Sprintf("%d/%s", e.port, e.protocol) }

func (s *session) portsListening(ctx context.Context) result {
	if !s.eng.local() {
		return skip("the engine is on another host, whose processes cannot be seen from here")
	}
	have, err := s.eng.api.ContainerInspect(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for the container: %v", err)
	}
	started := s.opts.Clock.Now()
	for {
		open, err := openPorts(strconv.Itoa(have.State.Pid))
		if errors.Is(err, fs.ErrPermission) {
			return skip("only root sees whose sockets are open")
		}
		if err != nil {
			return fail("%v", err)
		}
		r := comparePorts(s.img.Contract.Ports, open)
		if r.status == Pass || s.opts.Clock.Now().Sub(started) >= portsPatience {
			return r
		}
		if err := s.opts.Clock.Sleep(ctx, 500*time.Millisecond); err != nil {
			return fail("%v", err)
		}
	}
}

// openPorts are the ports that the container with this PID 1, as the host
// counts, has open. The container's root could not tell: without
// CAP_SYS_PTRACE it sees no descriptors of another user's process.
func openPorts(pid string) (map[endpoint]bool, error) {
	inodes, err := heldSockets(pid)
	if err != nil {
		return nil, err
	}
	open := map[endpoint]bool{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "net", table))
		if errors.Is(err, fs.ErrNotExist) { // without IPv6 there is no tcp6
			continue
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(open, openIn(table, string(text), inodes))
	}
	return open, nil
}

// heldSockets are the inodes of the sockets of all processes in the PID
// namespace of a process. One that ends meanwhile holds none.
func heldSockets(pid string) (map[string]bool, error) {
	namespace, err := os.Readlink(filepath.Join("/proc", pid, "ns/pid"))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, e := range entries {
		dir := filepath.Join("/proc", e.Name())
		if own, err := os.Readlink(filepath.Join(dir, "ns/pid")); err != nil || own != namespace {
			continue
		}
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if errors.Is(err, fs.ErrPermission) {
			return nil, err
		}
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name())) // closed meanwhile
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	return inodes, nil
}

// openIn reads a table of /proc/net (proc_net_tcp(5)): field 2 is the local
// address and port, field 4 the state, field 10 the inode.
func openIn(table, text string, inodes map[string]bool) map[endpoint]bool {
	protocol := strings.TrimSuffix(table, "6")
	state := map[string]string{"tcp": "0A", "udp": "07"}[protocol] // TCP_LISTEN, TCP_CLOSE
	out := map[endpoint]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != state || !inodes[f[9]] {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil || protocol == "udp" && port >= ephemeral {
			continue
		}
		out[endpoint{protocol, int(port)}] = true
	}
	return out
}

// comparePorts wants every port of the contract open at its number on the
// host, and no other.
func comparePorts(ports []contract.Port, open map[endpoint]bool) result {
	var faults, known []string
	declared := map[endpoint]bool{}
	for _, p := range ports {
		e := endpoint{p.Protocol, p.Host}
		declared[e] = true
		known = append(known, e.String())
		if !open[e] {
			faults = append(faults, fmt.Sprintf("port %q: nothing of the container listens on %v", p.Name, e))
		}
	}
	var stray []string
	for e := range maps.Keys(open) {
		if !declared[e] {
			stray = append(stray, e.String())
		}
	}
	slices.Sort(stray)
	if len(stray) > 0 {
		faults = append(faults, "open, and not in the contract: "+strings.Join(stray, ", "))
	}
	switch {
	case len(faults) > 0:
		return fail("%s", strings.Join(faults, "\n"))
	case len(known) == 0:
		return pass("the contract has none, and none is open")
	}
	return pass("%s", strings.Join(known, ", "))
}
