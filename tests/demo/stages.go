package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// ibforge runs bin/ibforge, after it has shown how.
func (d *demo) ibforge(ctx context.Context, args ...string) error {
	cmd := d.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("bin/ibforge %s: %w", args[0], err)
	}
	return nil
}

// output is ibforge for a reader of its results.
func (d *demo) output(ctx context.Context, args ...string) ([]byte, error) {
	cmd := d.command(ctx, append(args, "--quiet")...)
	var progress strings.Builder
	cmd.Stderr = &progress
	out, err := cmd.Output()
	if err != nil {
		fmt.Print(progress.String())
		return nil, fmt.Errorf("bin/ibforge %s: %w", args[0], err)
	}
	return out, nil
}

func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(args, "--store", d.store)
	fmt.Println("$ bin/ibforge", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "bin/ibforge", args...)
	// A terminal sends Ctrl-C to it as well; this is for the other signals.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

func (d *demo) build(ctx context.Context) error { return d.ibforge(ctx, "build", "opensm") }

func (d *demo) verify(ctx context.Context) error {
	conf := filepath.Join(d.dir, "opensm")
	if err := os.CopyFS(conf, os.DirFS("images/opensm/rootfs/etc/opensm")); err != nil {
		return err
	}
	env := strings.Join(append(d.fabric.Environ(site.SMHost), "PORTS=ALL"), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(conf, "environment"), []byte(env), 0o600); err != nil {
		return err
	}
	return d.ibforge(ctx, "verify", "opensm", "--host", d.engine.Host(),
		"--volume", conf+":/etc/opensm:ro", "--volume", d.site().LibraryVolume())
}

func (d *demo) deploy(ctx context.Context) error {
	vars := d.site().Variables()
	tenants, err := d.site().Tenants(ctx)
	if err != nil {
		return err
	}
	vars["ib_opensm_partitions"] = tenants
	if err := d.site().WriteInventory(d.inventory(), vars); err != nil {
		return err
	}
	if err := d.ibforge(ctx, "push", "opensm", "docker-archive:"+filepath.Join(d.dir, "opensm.tar"), "--images-file", d.images()); err != nil {
		return err
	}
	return d.ibforge(ctx, "deploy", "--inventory", d.inventory(), "--images-file", d.images())
}

// deployAgain deploys what is deployed, and takes Ansible by its word that
// nothing was to be done.
func (d *demo) deployAgain(ctx context.Context) error {
	out, err := d.output(ctx, "deploy", "--json", "--inventory", d.inventory(), "--images-file", d.images())
	if err != nil {
		return err
	}
	var recap deploy.Recap
	if err := json.Unmarshal(out, &recap); err != nil {
		return fmt.Errorf("reading the recap of bin/ibforge deploy --json: %w", err)
	}
	for host, s := range recap.Hosts {
		fmt.Printf("%s: ok %d, changed %d, failed %d\n", host, s.OK, s.Changed, s.Failed)
		if s.Changed > 0 {
			return fmt.Errorf("the second deployment has changed %d things on %s", s.Changed, host)
		}
	}
	return nil
}

func (d *demo) site() site.Site {
	python, err := filepath.Abs(".cache/venv/bin/python")
	if err != nil {
		python = "python3" // the working directory is gone; Ansible will say so
	}
	return site.Site{Dir: d.dir, Python: python, Engine: d.engine, Fabric: d.fabric}
}

func (d *demo) inventory() string { return filepath.Join(d.dir, "inventory.yml") }
func (d *demo) images() string    { return filepath.Join(d.dir, "ibforge-images.yml") }

// show asks the fabric itself, from another of its hosts.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	sm, err := d.fabric.WaitMaster(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("$ sminfo\nsubnet manager on port GUID 0x%016x, lid %d: %s\n\n$ smpquery pkeys, of each host's port\n", sm.GUID, sm.LID, sm.State)
	ports, err := d.fabric.Ports(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(ports, func(a, b lab.Port) int { return strings.Compare(a.Node, b.Node) })
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tPORT GUID\tLID\tPKEYS")
	for _, p := range ports {
		if p.Type != lab.TypeCA {
			continue
		}
		pkeys, err := d.fabric.PKeys(ctx, p.Node, p.Number)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t0x%016x\t%d\t%s\n", p.Node, p.GUID, p.LID, membership(pkeys))
	}
	return w.Flush()
}

// membership spells PKeys out: the top bit of 16 is the full membership
// (InfiniBand Architecture Specification, volume 1, 10.9.1.1).
func membership(pkeys []uint16) string {
	var out []string
	for _, k := range pkeys {
		switch {
		case k == 0:
		case k&0x8000 != 0:
			out = append(out, fmt.Sprintf("0x%04x full", k&0x7fff))
		default:
			out = append(out, fmt.Sprintf("0x%04x limited", k))
		}
	}
	return strings.Join(out, ", ")
}

func joinEnv(env []string) string { return strings.Join(env, " ") }
