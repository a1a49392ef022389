package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/socket"
)

// starts measures what moving a port adds to the start of a unit: the helper
// that rewrites files, and the one that asks for the hooks. Beside them stands
// a program that does nothing.
func (b *bench) starts(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "starts")
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		return err
	}
	config := contract.Port{
		Name: "http", Protocol: "tcp", Address: "any", Listens: 80, Host: 8880, Via: contract.ViaConfig, Unit: "config.service",
		Rewrites: []contract.Rewrite{{Path: "/etc/ports.conf", Match: `^Listen\s+{port}$`, Count: 1}},
	}
	hooked := contract.Port{Name: "https", Protocol: "tcp", Address: "any", Listens: 443, Host: 8443, Via: contract.ViaSocket, Unit: "socket.service"}
	m := contract.PortMap{Version: contract.PortMapVersion, Service: "bench_start", Cgroup: "/ibforge-bench-start", Ports: []contract.Port{config, hooked}}
	text, err := m.MarshalIndented()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "ports.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	r, err := socket.Attach(m, socket.Options{})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, socket.Detach(m.Service, socket.Options{}), removeCgroup(r.Cgroup))
	}()
	nothing := func(ctx context.Context) (time.Duration, error) { return within(ctx, r.Cgroup, "/bin/true") }
	rewrite := func(ctx context.Context) (time.Duration, error) {
		// As a product does that writes its configuration anew at every start.
		if err := os.WriteFile(filepath.Join(dir, "etc/ports.conf"), []byte("Listen 80\nListen 8080\n"), 0o600); err != nil {
			return 0, err
		}
		return within(ctx, r.Cgroup, "bin/ibforge-ports", "start", "--unit", "config.service", "--map", file, "--root", dir)
	}
	gate := func(ctx context.Context) (time.Duration, error) {
		return within(ctx, r.Cgroup, "bin/ibforge-ports", "start", "--unit", "socket.service", "--map", file, "--root", dir)
	}
	if err := b.compare(ctx, "before a unit's start: config, a file rewritten", "true", "<= 50 ms", b.runs, true, rewrite, nothing); err != nil {
		return err
	}
	return b.compare(ctx, "before a unit's start: socket, the gate", "true", "<= 50 ms", b.runs, true, gate, nothing)
}

// within runs a program in a cgroup and says how long it took.
func within(ctx context.Context, cgroup string, argv ...string) (time.Duration, error) {
	took, _, err := timed(ctx, nil, append([]string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, cgroup}, argv...)...)
	return took, err
}
