// Package lab is the ground that ibforge is tried on without hardware and
// without touching what else runs on the machine: an InfiniBand fabric
// simulated by ibsim ([StartFabric]), a container engine of its own
// ([StartEngine]) and an image registry on a loopback port ([StartRegistry]).
//
// The demonstration program and the tests import it; nothing under builder or
// cmd does. It knows nothing of package testing: the helpers that skip and
// fail are in the subpackage labtest.
//
// All three follow the same rules. The context given to Start bounds the
// start and then the life: when it ends, the thing is stopped as if by Stop.
// Stop may be called any number of times and from several goroutines; each
// call returns once nothing is left. The end of the context given to Stop does
// not leave anything behind, it only makes the end less polite: children are
// killed instead of asked. Should this process die without calling Stop, the
// kernel signals the children (PR_SET_PDEATHSIG in prctl(2)), and only
// directories and empty cgroups stay.
package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// pollInterval is how often a starting server is asked whether it is ready.
const pollInterval = 25 * time.Millisecond

// newID returns eight hexadecimal digits that tell this instance's sockets and
// cgroups from those of any other instance on the machine.
func newID() string {
	var b [4]byte
	// crypto/rand.Read never returns an error since Go 1.24.
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// makeDir creates dir, private to the user, and returns its absolute path.
func makeDir(what, dir string) (string, error) {
	if dir == "" {
		return "", fmt.Errorf("lab: %s: no directory given: name a fresh one to work in", what)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("lab: %s: %w", what, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", fmt.Errorf("lab: %s: %w", what, err)
	}
	return abs, nil
}

// errNotYet is what a condition given to poll answers while it does not hold.
var errNotYet = errors.New("not ready yet")

// poll calls ready until it returns nil, returns an error that is not
// errNotYet, p ends, or ctx ends. The error of the last call is part of the
// error when the time runs out.
func poll(ctx context.Context, p *process, ready func(context.Context) error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil || !errors.Is(err, errNotYet) {
			return err
		}
		select {
		case <-p.done:
			return p.endedEarly()
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for %s: %w (%w)%s", p.name, context.Cause(ctx), err, p.out.quote())
		case <-tick.C:
		}
	}
}
