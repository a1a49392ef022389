package conflict

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Listener is a socket that waits for somebody on a host.
type Listener struct {
	// Protocol is "tcp" or "udp".
	Protocol string `json:"protocol"`
	// Address that it is bound to. "::" takes IPv4 too unless the socket says
	// otherwise, which /proc does not tell.
	Address netip.Addr `json:"address"`
	Port    int        `json:"port"`
	// Process is the name of one that has the socket, and PID its number; empty
	// and 0 where the reader may not see it.
	Process string `json:"process"`
	PID     int    `json:"pid"`
}

// States of sockets in /proc/net, include/net/tcp_states.h of Linux. A UDP
// socket without a peer is in the state "close".
const (
	stateListen = "0A"
	stateClose  = "07"
)

// ReadListeners reads who listens from a copy of /proc, or from what it holds
// of net and of processes: proc(5), sections on /proc/net and /proc/PID/fd.
// Processes that may not be looked into leave a listener without a name.
func ReadListeners(proc fs.FS) ([]Listener, error) {
	type socket struct {
		Listener
		inode string
	}
	var found []socket
	files := 0
	for _, file := range []string{"net/tcp", "net/tcp6", "net/udp", "net/udp6"} {
		f, err := proc.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		files++
		lines := bufio.NewScanner(f)
		lines.Scan() // the header
		for lines.Scan() {
			l, inode, err := socketLine(strings.TrimSuffix(path.Base(file), "6"), lines.Text())
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", file, err), f.Close())
			}
			if l.Port > 0 {
				found = append(found, socket{l, inode})
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if files == 0 {
		return nil, errors.New("there is no net/tcp: give /proc, or a directory with a copy of its net/tcp, net/tcp6, net/udp and net/udp6")
	}
	owners, err := owners(proc)
	if err != nil {
		return nil, err
	}
	out := make([]Listener, 0, len(found))
	for _, s := range found {
		s.Process, s.PID = owners[s.inode].name, owners[s.inode].pid
		out = append(out, s.Listener)
	}
	slices.SortStableFunc(out, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), a.Address.Compare(b.Address), cmp.Compare(a.PID, b.PID))
	})
	// SO_REUSEPORT: one process, many sockets.
	return slices.Compact(out), nil
}

// socketLine reads one line of /proc/net/tcp and its kin. The port is 0 where
// the socket does not listen.
func socketLine(protocol, line string) (Listener, string, error) {
	const local, state, inode = 1, 3, 9
	fields := strings.Fields(line)
	if len(fields) <= inode {
		return Listener{}, "", fmt.Errorf("the line %q has too few fields", line)
	}
	if wanted := map[string]string{"tcp": stateListen, "udp": stateClose}[protocol]; fields[state] != wanted {
		return Listener{}, "", nil
	}
	address, port, _ := strings.Cut(fields[local], ":")
	number, err := strconv.ParseUint(port, 16, 16)
	raw, hexErr := hex.DecodeString(address)
	if err := errors.Join(err, hexErr); err != nil {
		return Listener{}, "", fmt.Errorf("the address %q: %w", fields[local], err)
	}
	// Words of 32 bits in the order of the machine, each a part of the address
	// in that of the network.
	for word := range slices.Chunk(raw, 4) {
		if len(word) == 4 {
			binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
		}
	}
	ip, ok := netip.AddrFromSlice(raw)
	if !ok {
		return Listener{}, "", fmt.Errorf("the address %q is neither IPv4 nor IPv6", fields[local])
	}
	return Listener{Protocol: protocol, Address: ip.Unmap(), Port: int(number)}, fields[inode], nil
}

// owner is a process that has a socket.
type owner struct {
	name string
	pid  int
}

// owners are the processes by the inodes of their sockets.
func owners(proc fs.FS) (map[string]owner, error) {
	out := map[string]owner{}
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// A process may end meanwhile, and those of others may be closed to us.
		descriptors, err := fs.ReadDir(proc, path.Join(entry.Name(), "fd"))
		if err != nil {
			continue
		}
		name, err := fs.ReadFile(proc, path.Join(entry.Name(), "comm"))
		if err != nil {
			continue
		}
		for _, d := range descriptors {
			target, err := fs.ReadLink(proc, path.Join(entry.Name(), "fd", d.Name()))
			if err != nil {
				continue
			}
			inode, ok := strings.CutPrefix(target, "socket:[")
			if !ok {
				continue
			}
			inode = strings.TrimSuffix(inode, "]")
			// A parent and its children share a socket; the parent is older.
			if o, known := out[inode]; !known || pid < o.pid {
				out[inode] = owner{strings.TrimSuffix(string(name), "\n"), pid}
			}
		}
	}
	return out, nil
}
