// Command demo runs the whole path on one machine: it builds the images, boots
// and verifies them in a container engine of its own, deploys OpenSM with the
// Ansible role, and shows that it is master of a simulated InfiniBand fabric.
// Then UFM and NEO, or rather their stand-ins, take its place, beside a web
// server on ports 80 and 443.
//
// It does what a user would: it calls bin/ibforge, and prints each call. `make
// demo` runs it. With -keep all of it stays up until Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

func main() {
	keep := flag.Bool("keep", false, "leave everything running until Ctrl-C")
	store := flag.String("store", ".cache/store", "image store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, *store, *keep)
	stop() // not deferred: os.Exit runs nothing that is
	os.Exit(code)
}

func run(ctx context.Context, store string, keep bool) int {
	began := time.Now()
	d := &demo{store: store}
	err := d.play(ctx)
	if err == nil && keep {
		d.lookAround()
		<-ctx.Done()
	}
	// The signal has been heard; what it asked for must not be cut short by it.
	down := d.stage(context.WithoutCancel(ctx), "tear down", d.tearDown)
	if ctx.Err() != nil && !keep {
		err = errors.New("interrupted; everything that was started has been stopped")
	}
	d.summary(time.Since(began))
	if err = errors.Join(err, down); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		return 1
	}
	return 0
}

// demo is one run, with what it has started.
type demo struct {
	store, dir string
	engine     *lab.Engine
	fabric     *lab.Fabric
	apache     *lab.Apache
	// hooked says that the roles may have put files and hooks on this machine.
	hooked bool
	times  []stageTime
}

type stageTime struct {
	name string
	took time.Duration
}

func (d *demo) play(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ibforge-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demonstration: %w", err)
	}
	d.dir = dir
	for _, s := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"build the images", d.build},
		{"start a container engine and a simulated fabric", d.start},
		{"verify the OpenSM image", d.verify},
		{"deploy OpenSM with Ansible", d.deploy},
		{"deploy once more: nothing may change", d.deployAgain},
		{"look at the fabric", d.show},
		{"build UFM and NEO from the stand-ins of their installers", d.buildProducts},
		{"take Horizon's place", d.horizon},
		{"deploy UFM and NEO beside it", d.deployProducts},
		{"look who has which port", d.showPorts},
	} {
		if err := d.stage(ctx, s.name, s.do); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) stage(ctx context.Context, name string, do func(context.Context) error) error {
	fmt.Printf("\n== %s\n", name)
	start := time.Now()
	err := do(ctx)
	d.times = append(d.times, stageTime{name, time.Since(start)})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (d *demo) summary(total time.Duration) {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, t := range d.times {
		fmt.Fprintf(w, "%.1f s\t %s\n", t.took.Seconds(), t.name)
	}
	fmt.Fprintf(w, "%.1f s\t in all\n", total.Seconds())
	w.Flush()
}

func (d *demo) start(ctx context.Context) error {
	var err error
	if d.engine, err = lab.StartEngine(ctx, lab.EngineOptions{Dir: filepath.Join(d.dir, "engine")}); err != nil {
		return err
	}
	fmt.Println("dockerd on", d.engine.Host())
	if d.fabric, err = lab.StartFabric(ctx, lab.FabricOptions{Dir: filepath.Join(d.dir, "fabric")}); err != nil {
		return err
	}
	fmt.Println("ibsim with 2 switches and the hosts", d.fabric.Hosts())
	return nil
}

func (d *demo) tearDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	errs := []error{d.removeProducts(ctx)}
	if d.apache != nil {
		errs = append(errs, d.apache.Stop(ctx))
	}
	if d.engine != nil {
		errs = append(errs, d.engine.Stop(ctx))
	}
	if d.fabric != nil {
		errs = append(errs, d.fabric.Stop(ctx))
	}
	if d.dir != "" {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}

func (d *demo) lookAround() {
	fmt.Printf(`
It all runs. From another terminal:
  docker -H %[1]s ps
  docker -H %[1]s exec -it ib_ufm systemctl status
  bin/ibforge-portmap show
  cd %[2]s && %[3]s ibnetdiscover
Ctrl-C here stops and removes all of it.
`, d.engine.Host(), filepath.Join(d.dir, "fabric"), joinEnv(d.fabric.Environ("Hca4")))
}
