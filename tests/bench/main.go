// Command bench compares ibforge with the tools that an operator would take in
// its place, side by side in one run: the two sides of a row take turns, and
// the row shows the ratio of their medians. `make bench` runs it, as root.
//
// It judges nothing by the clock; the column "to reach" says what the project
// aims at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

func main() {
	runs := flag.Int("n", 5, "runs of each side of a cheap row; a row that bootstraps takes 3 at most")
	only := flag.String("only", "", "measure \"ports\", \"builds\", \"failover\", \"roles\" or \"hosts\" alone")
	port := flag.String("serve", "", "be the server of the port rows; for the benchmark itself")
	flag.Parse()
	if *port != "" {
		fmt.Fprintln(os.Stderr, "bench:", serve(os.Stdout, *port))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	b := &bench{runs: *runs, only: *only}
	err := b.run(ctx)
	err = errors.Join(err, b.cleanUp(context.WithoutCancel(ctx)))
	stop() // not deferred: os.Exit runs nothing that is
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run, in a directory of its own.
type bench struct {
	runs   int
	only   string
	dir    string
	engine *lab.Engine
	rows   []row
	// peak is the largest resident set of any ibforge process, in bytes.
	peak int64
}

// row is one comparison.
type row struct {
	work, ours, theirs, reach string
	ratio                     float64
}

func (b *bench) run(ctx context.Context) error {
	steps := slices.DeleteFunc(b.steps(), func(s step) bool { return b.only != "" && b.only != s.group })
	if len(steps) == 0 {
		return fmt.Errorf("-only %s is nothing to measure; bench -h names what is", b.only)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "ibforge-bench-"); err != nil {
		return err
	}
	if b.engine, err = lab.StartEngine(ctx, lab.EngineOptions{Dir: filepath.Join(b.dir, "engine")}); err != nil {
		return err
	}
	for _, step := range steps {
		fmt.Fprintln(os.Stderr, "measuring:", step.name)
		if err := step.do(ctx); err != nil {
			// What was measured until then has taken its time.
			return errors.Join(fmt.Errorf("%s: %w", step.name, err), b.print())
		}
	}
	if b.peak > 0 {
		b.rows = append(b.rows, row{work: "peak memory of one build process", ours: fmt.Sprintf("%.0f MB", float64(b.peak)/1e6), theirs: "-", reach: "<= 300 MB"})
	}
	return b.print()
}

// step measures some rows. Steps of a group are measured together.
type step struct {
	group, name string
	do          func(context.Context) error
}

func (b *bench) steps() []step {
	return []step{
		{"ports", "ports that move", b.ports},
		{"ports", "what it adds to a start", b.starts},
		{"builds", "the base from nothing", b.baseFromNothing},
		{"builds", "the same base for docker and buildah", b.naive},
		{"builds", "opensm on a ready base", b.opensm},
		{"builds", "a build with nothing changed", b.unchanged},
		{"builds", "sizes", b.sizes},
		{"failover", "how soon a standby is master", b.failover},
		{"roles", "playbooks with nothing to do", b.products},
		{"hosts", "the same on many hosts", b.crowd},
	}
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WORK\tIBFORGE\tBESIDE\tRATIO\tTO REACH")
	for _, r := range b.rows {
		ratio := "-"
		if r.ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.work, r.ours, r.theirs, ratio, r.reach)
	}
	return w.Flush()
}

func (b *bench) cleanUp(ctx context.Context) error {
	var err error
	if b.engine != nil {
		err = b.engine.Stop(ctx)
	}
	if b.dir == "" {
		return err
	}
	// The overlay driver leaves its home mounted on itself.
	homes, _ := filepath.Glob(b.dir + "/*/overlay")
	for _, home := range homes {
		if e := syscall.Unmount(home, syscall.MNT_DETACH); e != nil && !errors.Is(e, syscall.EINVAL) {
			err = errors.Join(err, e)
		}
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// side is one of two things that are compared; it says how long it took.
type side func(ctx context.Context) (time.Duration, error)

// turns runs both sides n times by turns, after one run of each that does not
// count where warm is true, and gives the medians.
func turns(ctx context.Context, n int, warm bool, ours, theirs side) (a, z time.Duration, err error) {
	var as, zs []time.Duration
	for i := range n + btoi(warm) {
		for _, s := range []struct {
			do  side
			out *[]time.Duration
		}{{ours, &as}, {theirs, &zs}} {
			took, err := s.do(ctx)
			if err != nil {
				return 0, 0, err
			}
			if i > 0 || !warm {
				*s.out = append(*s.out, took)
			}
		}
	}
	return median(as), median(zs), nil
}

func btoi(v bool) int {
	if v {
		return 1
	}
	return 0
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func (b *bench) compare(ctx context.Context, work, beside, reach string, n int, warm bool, ours, theirs side) error {
	a, z, err := turns(ctx, n, warm, ours, theirs)
	if err != nil {
		return err
	}
	b.rows = append(b.rows, row{
		work: fmt.Sprintf("%s (n=%d)", work, n), ours: show(a), theirs: beside + " " + show(z),
		ratio: float64(a) / float64(z), reach: reach,
	})
	return nil
}

func show(d time.Duration) string { return d.Round(time.Millisecond).String() }

// timed runs a program to its end and says how long it took.
func timed(ctx context.Context, env []string, argv ...string) (time.Duration, *os.ProcessState, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, nil, fmt.Errorf("%q: %w\n%s", argv, err, out)
	}
	return took, cmd.ProcessState, nil
}
