package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/ibforge/ibforge/tests/lab"
)

// smHost is the host of the fabric that the OpenSM container believes to be.
const smHost = "Hca1"

// ibforge runs bin/ibforge, after it has shown how.
func (d *demo) ibforge(ctx context.Context, args ...string) error {
	args = append(args, "--store", d.store)
	fmt.Println("$ bin/ibforge", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "bin/ibforge", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	// A terminal sends Ctrl-C to it as well; this is for the other signals.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	return cmd.Run()
}

func (d *demo) build(ctx context.Context) error { return d.ibforge(ctx, "build") }

// simulated are the mounts by which a container's OpenSM reaches ibsim.
func (d *demo) simulated() string { return d.fabric.Library() + ":" + d.fabric.Library() + ":ro" }

func (d *demo) verify(ctx context.Context) error {
	conf := filepath.Join(d.dir, "opensm")
	if err := os.CopyFS(conf, os.DirFS("images/opensm/rootfs/etc/opensm")); err != nil {
		return err
	}
	env := strings.Join(append(d.fabric.Environ(smHost), "PORTS=ALL"), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(conf, "environment"), []byte(env), 0o600); err != nil {
		return err
	}
	return d.ibforge(ctx, "verify", "opensm", "--host", d.engine.Host(),
		"--volume", conf+":/etc/opensm:ro", "--volume", d.simulated())
}

// inventoryText is what an operator would write, but for the simulation's
// variables: see roles/ib_opensm/README.md.
const inventoryText = `# Written by make demo.
ib_opensm:
  hosts:
    localhost:
  vars:
    ansible_connection: local
    ansible_python_interpreter: %[1]s
    ibforge_become: false
    ib_opensm_docker_host: %[2]s
    ib_opensm_image_source: archive
    ib_opensm_config_dir: %[3]s
    # Two tenants. The default partition is limited: tenants do not meet there.
    ib_opensm_partitions:
      - name: Default
        pkey: "0x7fff"
        ipoib: true
        members: [{port: ALL, membership: limited}, {port: SELF, membership: full}]
      - name: tenant_a
        pkey: "0x0010"
        members: [{port: "%[4]s", membership: full}, {port: "%[5]s", membership: full}]
      - name: tenant_b
        pkey: "0x0020"
        members: [{port: "%[6]s", membership: full}]
    # The fabric is simulated.
    ib_opensm_simulated_fabric: true
    ib_opensm_extra_volumes: ["%[7]s"]
    ib_opensm_environment:
%[8]s`

func (d *demo) deploy(ctx context.Context) error {
	guids := map[string]string{}
	for _, host := range d.fabric.Hosts() {
		p, err := d.fabric.Host(ctx, host)
		if err != nil {
			return err
		}
		guids[host] = fmt.Sprintf("0x%016x", p.GUID)
	}
	python, err := filepath.Abs(".cache/venv/bin/python")
	if err != nil {
		return err
	}
	var env strings.Builder
	for _, kv := range d.fabric.Environ(smHost) {
		k, v, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&env, "      %s: %q\n", k, v)
	}
	inventory := fmt.Sprintf(inventoryText, python, d.engine.Host(), filepath.Join(d.dir, "etc"),
		guids["Hca2"], guids["Hca4"], guids["Hca3"], d.simulated(), env.String())
	if err := os.WriteFile(d.inventory(), []byte(inventory), 0o600); err != nil {
		return err
	}
	if err := d.ibforge(ctx, "push", "opensm", "docker-archive:"+filepath.Join(d.dir, "opensm.tar"), "--images-file", d.images()); err != nil {
		return err
	}
	return d.ibforge(ctx, "deploy", "--inventory", d.inventory(), "--images-file", d.images())
}

func (d *demo) deployAgain(ctx context.Context) error {
	return d.ibforge(ctx, "deploy", "--inventory", d.inventory(), "--images-file", d.images())
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
