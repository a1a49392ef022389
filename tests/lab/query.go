package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrNoSM says that no subnet manager has set up the fabric, or that the one
// which did has gone.
var ErrNoSM = errors.New("no subnet manager answers")

// smPollInterval is how often WaitMaster asks. A query takes some 10 ms.
const smPollInterval = 100 * time.Millisecond

// Ports asks the fabric for its ports by directed routes, which works without
// a subnet manager. The order is that of ibnetdiscover.
func (f *Fabric) Ports(ctx context.Context) ([]Port, error) {
	out, err := f.Exec(ctx, f.observer(), "ibnetdiscover", "-p")
	if err != nil {
		return nil, err
	}
	return parsePorts(out)
}

// Host returns the first port that is cabled of the host with the given name.
func (f *Fabric) Host(ctx context.Context, name string) (Port, error) {
	ports, err := f.Ports(ctx)
	if err != nil {
		return Port{}, err
	}
	for _, p := range ports {
		if p.Type == TypeCA && p.Node == name {
			return p, nil
		}
	}
	return Port{}, fmt.Errorf("lab: the fabric has no host %q with a cabled port: choose one of %s", name, strings.Join(f.hosts, ", "))
}

// SM asks the subnet manager that set up the fabric how it is. The error has
// [ErrNoSM] in its chain if none answers.
func (f *Fabric) SM(ctx context.Context) (SMInfo, error) { return f.sminfo(ctx) }

func (f *Fabric) sminfo(ctx context.Context, options ...string) (SMInfo, error) {
	out, err := f.Exec(ctx, f.observer(), append([]string{"sminfo"}, options...)...)
	if strings.Contains(string(out), "iberror: failed: query") {
		return SMInfo{}, fmt.Errorf("lab: %w: %w", ErrNoSM, err)
	}
	if err != nil {
		return SMInfo{}, err
	}
	return parseSMInfo(out)
}

// WaitMaster returns when a subnet manager answers as master and has brought
// all links up, and what it says. It waits as long as ctx does.
func (f *Fabric) WaitMaster(ctx context.Context) (SMInfo, error) {
	tick := time.NewTicker(smPollInterval)
	defer tick.Stop()
	for {
		sm, err := f.master(ctx)
		if err == nil || ctx.Err() == nil && !errors.Is(err, ErrNoSM) && !errors.Is(err, errNotYet) {
			return sm, err
		}
		select {
		case <-ctx.Done():
			return SMInfo{}, fmt.Errorf("lab: no master on the fabric: %w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// master returns what the master says, and errNotYet or ErrNoSM as long as
// there is none or it is still at work.
func (f *Fabric) master(ctx context.Context) (SMInfo, error) {
	// Milliseconds per try, of which there are three. A query that comes before
	// the switches have routes is dropped, and costs three seconds otherwise.
	sm, err := f.sminfo(ctx, "-t", "200")
	if err != nil {
		return SMInfo{}, err
	}
	if sm.State != SMMaster {
		return SMInfo{}, fmt.Errorf("%w: the subnet manager with GUID 0x%x is in state %s", errNotYet, sm.GUID, sm.State)
	}
	out, err := f.Exec(ctx, f.observer(), "iblinkinfo", "--line")
	if err != nil {
		return SMInfo{}, err
	}
	if link := inactiveLink(out); link != "" {
		return SMInfo{}, fmt.Errorf("%w: a link is not active: %s", errNotYet, link)
	}
	return sm, nil
}

// Bury makes the simulator notice that subnet managers on a host were killed,
// as one should before the next one starts there. It sees a client's end only
// when it sends it something. Until then the port keeps its IsSM bit, so that
// the next subnet manager is not announced by trap 144; and when the old one is
// noticed at last, the bit is taken from the next one, whom the others then do
// not find (disconnect_client in ibsim's ibsim.c). The error says so if a
// subnet manager lives on the host.
func (f *Fabric) Bury(ctx context.Context, host string) error {
	// A route of no hops ends at the host's own port; of the three tries, each
	// finds one that is dead.
	out, err := f.Exec(ctx, host, "sminfo", "-D", "-t", "200", "0")
	switch {
	case strings.Contains(string(out), "iberror: failed: query"):
		return nil
	case err == nil:
		return fmt.Errorf("lab: a subnet manager lives on host %q: %s", host, bytes.TrimSpace(out))
	}
	return err
}

// PKeys returns the partition table of a node's port by index, without the
// empty entries at its end; an empty entry before that is 0. The top bit of an
// entry is set for full membership. Port 0 stands for the port that a host is
// attached by; the tables of a switch's other ports hold what the switch
// enforces.
func (f *Fabric) PKeys(ctx context.Context, node string, port int) ([]uint16, error) {
	// Asked on the node itself, by a directed route of no hops, so that the
	// node needs no LID.
	out, err := f.Exec(ctx, node, "smpquery", "-D", "pkeys", "0", strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	return parsePKeys(out)
}
