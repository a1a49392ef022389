package lab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// NodeType is the kind of a node as ibnetdiscover -p writes it.
type NodeType string

// The kinds of nodes.
const (
	TypeCA     NodeType = "CA" // a channel adapter: a host
	TypeSwitch NodeType = "SW"
	TypeRouter NodeType = "RT"
)

// Port is one port of the fabric.
type Port struct {
	Type NodeType
	// Node is the node description, which is the host's or switch's name.
	Node string
	// GUID is the port GUID. The ports of a switch share its node GUID.
	GUID uint64
	// LID is 0 until a subnet manager assigns one.
	LID    uint16
	Number int
	// Peer is the node description at the other end of the cable; empty if
	// nothing is plugged in. PeerNumber is the port there.
	Peer       string
	PeerNumber int
}

// SMState is the state of a subnet manager as sminfo(8) writes it.
type SMState string

// The states of a subnet manager (InfiniBand specification, volume 1,
// SMInfo.SMState).
const (
	SMNotActive   SMState = "SMINFO_NOTACT"
	SMDiscovering SMState = "SMINFO_DISCOVER"
	SMStandby     SMState = "SMINFO_STANDBY"
	SMMaster      SMState = "SMINFO_MASTER"
)

// SMInfo is what a subnet manager says of itself.
type SMInfo struct {
	State    SMState
	Priority int
	GUID     uint64
	LID      uint16
}

var (
	hostLine = regexp.MustCompile(`(?m)^(?:Hca|Ca)\s+\d+\s+"([^"]+)"`)

	portLine = regexp.MustCompile(`^(CA|SW|RT)\s+(\d+)\s+(\d+)\s+0x([0-9a-f]+)\s+\S+\s+\S+\s+` +
		`(?:- (?:CA|SW|RT)\s+\d+\s+(\d+)\s+0x[0-9a-f]+ \( '(.*)' - '(.*)' \)|'(.*)')$`)

	smInfoLine = regexp.MustCompile(`^sminfo: sm lid (\d+) sm guid 0x([0-9a-f]+), activity count \d+ priority (\d+) state \d+ (\w+)$`)

	pkeyLine = regexp.MustCompile(`^\s*(\d+):((?: 0x[0-9a-f]{4})+)$`)

	pkeyEnd = regexp.MustCompile(`^\d+ pkeys capacity for this port$`)
)

// parseHosts returns the names of a netlist's channel adapters.
func parseHosts(netlist []byte) []string {
	var hosts []string
	for _, m := range hostLine.FindAllSubmatch(netlist, -1) {
		hosts = append(hosts, string(m[1]))
	}
	return hosts
}

// lines splits the output of a program and drops empty lines.
func lines(out []byte) []string {
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// parsePorts reads the output of ibnetdiscover -p.
func parsePorts(out []byte) ([]Port, error) {
	var ports []Port
	for i, line := range lines(out) {
		m := portLine.FindStringSubmatch(strings.TrimRight(line, " "))
		if m == nil {
			return nil, fmt.Errorf("lab: ibnetdiscover -p: line %d is not a port: %q", i+1, line)
		}
		var n numbers
		p := Port{
			Type: NodeType(m[1]), LID: n.uint16(m[2], 10), Number: n.int(m[3]),
			GUID: n.uint64(m[4]), Node: m[6] + m[8], Peer: m[7],
		}
		if m[5] != "" {
			p.PeerNumber = n.int(m[5])
		}
		if n.err != nil {
			return nil, fmt.Errorf("lab: ibnetdiscover -p: line %d: %w", i+1, n.err)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// parseSMInfo reads the output of sminfo.
func parseSMInfo(out []byte) (SMInfo, error) {
	m := smInfoLine.FindStringSubmatch(strings.TrimSpace(string(out)))
	if m == nil {
		return SMInfo{}, fmt.Errorf("lab: sminfo wrote what cannot be read: %q", out)
	}
	var n numbers
	sm := SMInfo{
		LID: n.uint16(m[1], 10), GUID: n.uint64(m[2]),
		Priority: n.int(m[3]), State: SMState(m[4]),
	}
	if n.err != nil {
		return SMInfo{}, fmt.Errorf("lab: sminfo: %w", n.err)
	}
	return sm, nil
}

// inactiveLink returns the first line of the output of iblinkinfo --line about
// a cable that is plugged in (LinkUp) and carries no data yet: a subnet manager
// moves a port from Initialize over Armed to Active as the last thing it does.
func inactiveLink(out []byte) string {
	for _, line := range lines(out) {
		if strings.Contains(line, "LinkUp)") && !strings.Contains(line, " Active/") {
			return line
		}
	}
	return ""
}

// parsePKeys reads the output of smpquery pkeys.
func parsePKeys(out []byte) ([]uint16, error) {
	var table []uint16
	filled := 0
	for _, line := range lines(out) {
		m := pkeyLine.FindStringSubmatch(line)
		if m == nil && pkeyEnd.MatchString(line) {
			return table[:filled], nil
		}
		if m == nil || m[1] != strconv.Itoa(len(table)) {
			return nil, fmt.Errorf("lab: smpquery pkeys: after %d entries comes %q", len(table), line)
		}
		for _, field := range strings.Fields(m[2]) {
			var n numbers
			table = append(table, n.uint16(field, 0))
			if table[len(table)-1] != 0 {
				filled = len(table)
			}
		}
	}
	return nil, fmt.Errorf("lab: smpquery pkeys: the table ends after %d entries without its capacity", len(table))
}

// numbers parses numbers and keeps the first error.
type numbers struct{ err error }

func (n *numbers) note(err error) {
	if n.err == nil {
		n.err = err
	}
}

func (n *numbers) uint16(text string, base int) uint16 {
	v, err := strconv.ParseUint(text, base, 16)
	n.note(err)
	return uint16(v)
}

// uint64 reads a GUID: hexadecimal without 0x.
func (n *numbers) uint64(text string) uint64 {
	v, err := strconv.ParseUint(text, 16, 64)
	n.note(err)
	return v
}

func (n *numbers) int(text string) int {
	v, err := strconv.Atoi(text)
	n.note(err)
	return v
}
