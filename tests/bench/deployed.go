package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// burnPIDs keeps the second container's OpenSM from having the process ID of
// the first one's, by which the simulator tells its clients.
const burnPIDs = `[Service]
ExecStartPre=/bin/sh -c 'i=0; while [ $$i -lt 300 ]; do (:); i=$$((i+1)); done'
`

// configDir is where the roles write the configuration of a subnet manager.
func (c *cloud) configDir(place string) string { return filepath.Join(c.dir, place, "etc-opensm") }

// deployed has the roles deploy two OpenSM, on an engine each. stop is there
// whatever the error is.
func (b *bench) deployed(ctx context.Context, c *cloud) (d *duo, stop func(context.Context) error, err error) {
	engines := map[string]*lab.Engine{}
	d = &duo{since: map[string]time.Time{}, zone: time.UTC}
	stop = func(ctx context.Context) error {
		var errs []error
		if d.fabric != nil {
			errs = append(errs, d.fabric.Stop(ctx))
		}
		for _, e := range engines {
			errs = append(errs, e.Stop(ctx))
		}
		return errors.Join(errs...)
	}
	if d.fabric, err = lab.StartFabric(ctx, lab.FabricOptions{Dir: filepath.Join(c.dir, "ours")}); err != nil {
		return d, stop, err
	}
	burn := filepath.Join(c.dir, "burn.conf")
	if err := os.WriteFile(burn, []byte(burnPIDs), 0o600); err != nil {
		return d, stop, err
	}
	python, err := filepath.Abs(".cache/venv/bin/python")
	if err != nil {
		return d, stop, fmt.Errorf("looking for Python: %w", err)
	}
	for _, place := range []string{first, second} {
		e, err := lab.StartEngine(ctx, lab.EngineOptions{Dir: filepath.Join(c.dir, place+"-engine")})
		if err != nil {
			return d, stop, err
		}
		engines[place] = e
		c.vars[place] = variables(site.Site{Dir: filepath.Join(c.dir, place), Python: python, Engine: e, Fabric: d.fabric}, place, burn)
	}
	inventory, err := c.inventory("pair", []string{first, second}, "ib_opensm")
	if err != nil {
		return d, stop, err
	}
	d.kill = func(ctx context.Context, place string) error {
		return engines[place].Client().ContainerKill(ctx, "ib_opensm", "KILL")
	}
	d.start = func(ctx context.Context, place string) error {
		if err := d.fabric.Bury(ctx, place); err != nil {
			return err
		}
		return engines[place].Client().ContainerStart(ctx, "ib_opensm", container.StartOptions{})
	}
	d.log = func(ctx context.Context, place string) (string, error) { return logOf(ctx, engines[place]) }
	_, _, err = c.play(ctx, inventory, "deploy")
	return d, stop, err
}

// variables are an operator's for a subnet manager at a place of the fabric.
func variables(s site.Site, place, burn string) map[string]any {
	vars := s.Variables()
	env := map[string]string{}
	for _, kv := range s.Fabric.Environ(place) {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	vars["ib_opensm_environment"] = env
	// The simulator loses a handover now and then; the next sweep finds it.
	vars["ib_opensm_sweep_interval"] = 3
	if place == second {
		vars["ib_opensm_extra_volumes"] = []string{s.LibraryVolume(), burn + ":/etc/systemd/system/opensm-ports.service.d/burn.conf:ro"}
	}
	return vars
}

// logOf is what an OpenSM in a container has logged since it was started; empty
// where the container does not run.
func logOf(ctx context.Context, e *lab.Engine) (string, error) {
	found, err := e.Client().ContainerInspect(ctx, "ib_opensm")
	if err != nil {
		return "", fmt.Errorf("looking at OpenSM's container: %w", err)
	}
	if !found.State.Running {
		return "", nil
	}
	out, err := exec.CommandContext(ctx, "docker", "-H", e.Host(), "exec", "ib_opensm", "sh", "-c", "cat /var/log/opensm/*/opensm.log").Output()
	if err != nil {
		return "", fmt.Errorf("reading OpenSM's log: %w", err)
	}
	return string(out), nil
}
