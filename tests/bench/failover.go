package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

const (
	failovers = 20
	// settles is how long a fabric may take to have master and standby again.
	settles = 40 * time.Second
)

// duo is two subnet managers of one fabric, by their places on it.
type duo struct {
	fabric *lab.Fabric
	kill   func(ctx context.Context, place string) error
	start  func(ctx context.Context, place string) error
	log    func(ctx context.Context, place string) (string, error)
	// since is when each was started last: logs go on where they were.
	since map[string]time.Time
	// zone is that of the logs.
	zone *time.Location
}

func (d *duo) begin(ctx context.Context, place string) error {
	d.since[place] = time.Now()
	return d.start(ctx, place)
}

// The first of the two has the higher priority.
const first, second = "Hca1", "Hca2"

// failover kills the master as a crash does, and gives the time until the
// standby says in its log that it is master.
func (d *duo) failover(ctx context.Context) (time.Duration, error) {
	if err := d.settle(ctx); err != nil {
		return 0, err
	}
	killed := time.Now()
	if err := d.kill(ctx, first); err != nil {
		return 0, err
	}
	var took time.Duration
	d.since[first] = killed
	err := until(ctx, "the standby to become master", func() (bool, error) {
		state, at, err := d.state(ctx, second)
		took = at.Sub(killed)
		return state == "MASTER" && took > 0, err
	})
	return took, err
}

// settle waits until the first is master and the second standby. The simulator
// loses a handover now and then; from nothing they agree.
func (d *duo) settle(ctx context.Context) error {
	for range 3 {
		if state, _, err := d.state(ctx, first); err != nil || state == "" {
			if err := d.begin(ctx, first); err != nil {
				return err
			}
		}
		err := until(ctx, "the first to be master, and the second standby", func() (bool, error) {
			a, _, errA := d.state(ctx, first)
			z, _, errZ := d.state(ctx, second)
			return a == "MASTER" && z == "STANDBY", errors.Join(errA, errZ)
		})
		if err == nil && d.up(ctx) {
			return nil
		}
		if err := errors.Join(d.kill(ctx, first), d.kill(ctx, second), d.begin(ctx, first), d.begin(ctx, second)); err != nil {
			return err
		}
	}
	return errors.New("two subnet managers do not agree who is master")
}

// up says whether the fabric has its master and all links within the time.
func (d *duo) up(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, settles)
	defer cancel()
	_, err := d.fabric.WaitMaster(ctx)
	return err == nil
}

var stateLine = regexp.MustCompile(`(?m)^(\w{3} +\d+ [\d:]{8}) (\d{6}) .*(Entering (\w+) state|Exiting SM)`)

// state is what a subnet manager has entered last since it was started, and when.
func (d *duo) state(ctx context.Context, place string) (string, time.Time, error) {
	text, err := d.log(ctx, place)
	all := stateLine.FindAllStringSubmatch(text, -1)
	if err != nil || len(all) == 0 {
		return "", time.Time{}, err
	}
	last := all[len(all)-1]
	at, err := time.ParseInLocation("2006 Jan 2 15:04:05.000000", fmt.Sprintf("%d %s.%s", time.Now().In(d.zone).Year(), strings.Join(strings.Fields(last[1]), " "), last[2]), d.zone)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("reading OpenSM's log: %w", err)
	}
	if at.Before(d.since[place]) {
		return "", at, nil
	}
	return last[4], at, nil
}

func until(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settles)
	defer cancel()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s for %s", settles, what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// failover measures two OpenSM that the roles have deployed beside two processes
// of the same program with the same configuration.
func (b *bench) failover(ctx context.Context) (err error) {
	c, err := newCloud(filepath.Join(b.dir, "failover"))
	if err != nil {
		return err
	}
	if err := c.build(ctx, b.store(), "opensm"); err != nil {
		return err
	}
	ours, stop, err := b.deployed(ctx, c)
	defer func() { err = errors.Join(err, stop(context.WithoutCancel(ctx))) }()
	if err != nil {
		return err
	}
	theirs, err := c.processes(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.fabric.Stop(context.WithoutCancel(ctx))) }()
	var as, zs []time.Duration
	for range failovers {
		a, err := ours.failover(ctx)
		if err != nil {
			return err
		}
		z, err := theirs.failover(ctx)
		if err != nil {
			return err
		}
		as, zs = append(as, a), append(zs, z)
	}
	a, z := median(as), median(zs)
	b.rows = append(b.rows, row{
		work:   fmt.Sprintf("failover (n=%d)", failovers),
		ours:   fmt.Sprintf("%s, at most %s", show(a), show(slices.Max(as))),
		theirs: fmt.Sprintf("two OpenSM %s, at most %s", show(z), show(slices.Max(zs))),
		ratio:  float64(a) / float64(z), reach: "<= 1.05, always <= 2.5 s",
	})
	return nil
}

// processes starts two OpenSM of this machine with the files that the roles wrote.
func (c *cloud) processes(ctx context.Context) (*duo, error) {
	dir := filepath.Join(c.dir, "theirs")
	f, err := lab.StartFabric(ctx, lab.FabricOptions{Dir: dir})
	if err != nil {
		return nil, err
	}
	running := map[string]*lab.OpenSM{}
	d := &duo{
		fabric: f, since: map[string]time.Time{}, zone: time.Local,
		log: func(_ context.Context, place string) (string, error) {
			if running[place] == nil {
				return "", nil
			}
			text, err := os.ReadFile(running[place].LogFile())
			return string(text), err
		},
		kill: func(_ context.Context, place string) error {
			sm := running[place]
			delete(running, place)
			if sm == nil {
				return nil
			}
			return sm.Kill()
		},
		start: func(ctx context.Context, place string) (err error) {
			running[place], err = f.StartOpenSM(ctx, place)
			return err
		},
	}
	for _, place := range []string{first, second} {
		own := filepath.Join(dir, "opensm-"+place)
		if err := os.MkdirAll(own, 0o700); err != nil {
			return d, err
		}
		for _, name := range []string{"opensm.conf", "partitions.conf"} {
			text, err := os.ReadFile(filepath.Join(c.configDir(place), name))
			if err != nil {
				return d, err
			}
			if err := os.WriteFile(filepath.Join(own, name), elsewhere.ReplaceAll(text, nil), 0o600); err != nil {
				return d, err
			}
		}
		if err := d.begin(ctx, place); err != nil {
			return d, err
		}
	}
	return d, nil
}

// elsewhere are settings of places, which are other ones without a container.
var elsewhere = regexp.MustCompile(`(?m)^(partition_config_file|log_file|dump_files_dir|guid) .*$`)
