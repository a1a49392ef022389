package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// fixture is a site with its inventory and the images file to deploy from.
type fixture struct {
	site.Site
	t                         *testing.T
	store, inventory, imgfile string
}

func newSite(t *testing.T, v2 bool) fixture {
	t.Helper()
	store := sharedStore(t)
	python, err := filepath.Abs(filepath.Join(root, ".cache/venv/bin/python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		labtest.Need(t, lab.Tool{Name: python, Package: "(tests/tools/setup.sh python)"})
	}
	dir := labtest.Dir(t)
	f := fixture{
		Site: site.Site{
			Dir: dir, Python: python,
			Engine: labtest.Engine(t, lab.EngineOptions{CgroupV2: v2}),
			Fabric: labtest.Fabric(t, lab.FabricOptions{}),
		},
		t: t, store: store, inventory: dir + "/inventory.yml", imgfile: dir + "/ibforge-images.yml",
	}
	return f
}

// deploy runs a playbook with these variables over the site's own.
func (f fixture) deploy(vars map[string]any, args ...string) (result, deploy.Recap) {
	f.t.Helper()
	all := f.Variables()
	maps.Copy(all, vars)
	if err := f.WriteInventory(f.inventory, all); err != nil {
		f.t.Fatal(err)
	}
	args = append([]string{"-C", root, "--store", f.store, "--json", "deploy", "-i", f.inventory, "--images-file", f.imgfile}, args...)
	r := run(f.t, nil, args...)
	var recap deploy.Recap
	if r.stdout != "" {
		if err := json.Unmarshal([]byte(r.stdout), &recap); err != nil {
			f.t.Fatalf("%v\n%v", err, r)
		}
	}
	return r, recap
}

// changed expects success and gives the number of changes on localhost.
func (f fixture) changed(vars map[string]any, args ...string) int {
	f.t.Helper()
	r, recap := f.deploy(vars, args...)
	if r.code != 0 {
		f.t.Fatal(r)
	}
	return recap.Hosts["localhost"].Changed
}

func (f fixture) archive() {
	f.t.Helper()
	ok(f.t, "--store", f.store, "push", "opensm", "docker-archive:"+f.Dir+"/opensm.tar", "--images-file", f.imgfile)
}

// started is when the container's PID 1 was started last.
func (f fixture) started() string {
	f.t.Helper()
	c, err := f.Engine.Client().ContainerInspect(f.t.Context(), "ib_opensm")
	if err != nil {
		f.t.Fatal(err)
	}
	if c.HostConfig.Privileged || len(c.HostConfig.CapAdd) > 0 {
		f.t.Errorf("privileged %v, capabilities added %v", c.HostConfig.Privileged, c.HostConfig.CapAdd)
	}
	return c.State.StartedAt
}

// awaitPKeys waits until a host's port has exactly these PKeys.
func (f fixture) awaitPKeys(host string, want ...uint16) {
	f.t.Helper()
	var got []uint16
	waitFor(f.t, host+"'s PKeys", func() bool {
		all, err := f.Fabric.PKeys(f.t.Context(), host, 0)
		if err != nil {
			f.t.Fatal(err)
		}
		got = slices.DeleteFunc(all, func(k uint16) bool { return k == 0 })
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// A deployment from nothing makes a master; the same once more changes
// nothing; a new partition is a reload and no restart; and what OpenSM would
// answer by opening the fabric is refused.
func TestDeploy(t *testing.T) { //nolint:tparallel // its parts use the same machine
	onMachine(t)
	for name, v2 := range map[string]bool{"cgroup v1 or the host's": false, "cgroup v2": true} {
		t.Run(name, func(t *testing.T) {
			f := newSite(t, v2)
			f.archive()
			everyone := map[string]any{"ib_opensm_partitions": []any{site.Partition("Default", 0x7fff, site.Everyone("full"))}}

			if n := f.changed(everyone, "--check", "--diff"); n == 0 {
				t.Error("--check says that nothing would change on an empty host")
			}
			if _, err := os.Stat(f.ConfigDir()); !os.IsNotExist(err) {
				t.Errorf("--check has made %s: %v", f.ConfigDir(), err)
			}
			if n := f.changed(everyone); n == 0 {
				t.Error("the first deployment has changed nothing")
			}
			if sm, err := f.Fabric.WaitMaster(t.Context()); err != nil || sm.State != lab.SMMaster {
				t.Errorf("%+v, %v", sm, err)
			}
			f.awaitPKeys("Hca3", 0xffff)
			if n := f.changed(everyone); n != 0 {
				t.Errorf("the second deployment has changed %d things", n)
			}

			since := f.started()
			tenants, err := f.Tenants(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f.changed(map[string]any{"ib_opensm_partitions": tenants}, "--action", "reconfigure")
			f.awaitPKeys("Hca2", 0x7fff, 0x8010)
			f.awaitPKeys("Hca3", 0x7fff, 0x8020)
			if got := f.started(); got != since {
				t.Errorf("a changed partition has restarted the container: %s, before %s", got, since)
			}
			f.refuses(tenants)
			if r, _ := f.deploy(map[string]any{"ib_opensm_partitions": tenants}, "--action", "check"); r.code != 0 {
				t.Error(r)
			}
			f.changed(map[string]any{"ib_opensm_partitions": tenants}, "--action", "stop")
			if c, err := f.Engine.Client().ContainerInspect(t.Context(), "ib_opensm"); err != nil || c.State.Running || c.State.ExitCode != 0 {
				t.Errorf("after stop: %v, %+v", err, c.State)
			}
		})
	}
}

// refuses expects that faulty partitions change neither files nor fabric.
func (f fixture) refuses(tenants []map[string]any) {
	f.t.Helper()
	before, err := os.ReadFile(filepath.Join(f.ConfigDir(), "partitions.conf"))
	if err != nil {
		f.t.Fatal(err)
	}
	faulty := append(slices.Clone(tenants),
		site.Partition("tenant_c", 0x10, site.Member{"port": "0x12", "membership": "fully"}))
	r, recap := f.deploy(map[string]any{"ib_opensm_partitions": faulty})
	if r.code != 1 || len(recap.Failures) != 1 {
		f.t.Fatal(r)
	}
	for _, part := range []string{"tenant_c", "0x12", "fully", "0x0010"} {
		if !strings.Contains(recap.Failures[0].Message, part) {
			f.t.Errorf("the message does not name %s: %s", part, recap.Failures[0].Message)
		}
	}
	after, err := os.ReadFile(filepath.Join(f.ConfigDir(), "partitions.conf"))
	if err != nil || !bytes.Equal(after, before) {
		f.t.Errorf("partitions.conf was touched: %v\n%s", err, after)
	}
	f.awaitPKeys("Hca2", 0x7fff, 0x8010)
}

// The image may come from a registry, by digest.
func TestDeployFromRegistry(t *testing.T) {
	onMachine(t)
	f := newSite(t, false)
	registry := labtest.Registry(t)
	ok(t, "--store", f.store, "push", "opensm", "docker://"+registry.Address()+"/ibforge/opensm:1.0", "--plain-http", "--images-file", f.imgfile)
	vars := map[string]any{"ib_opensm_image_source": "registry"}
	f.changed(vars)
	if _, err := f.Fabric.WaitMaster(t.Context()); err != nil {
		t.Error(err)
	}
	if n := f.changed(vars); n != 0 {
		t.Errorf("the second deployment has changed %d things", n)
	}
}

// What a host lacks is said with the cure, all of it at once.
func TestDeployToAHostThatIsNotReady(t *testing.T) {
	onMachine(t)
	f := newSite(t, false)
	f.archive()
	r, recap := f.deploy(map[string]any{"ib_opensm_simulated_fabric": false}, "--action", "precheck")
	if r.code != 1 || len(recap.Failures) != 1 {
		t.Fatal(r)
	}
	// This machine has no InfiniBand; a site with it would not run these tests.
	for _, part := range []string{"ib_umad", "modprobe ib_umad", "/dev/infiniband"} {
		if !strings.Contains(recap.Failures[0].Message, part) {
			t.Errorf("the message does not name %s: %s", part, recap.Failures[0].Message)
		}
	}

	r, recap = f.deploy(map[string]any{"ib_opensm_docker_host": "unix:///nowhere/docker.sock"})
	if r.code != 1 || len(recap.Failures) == 0 || !strings.Contains(recap.Failures[0].Message, "unix:///nowhere/docker.sock") {
		t.Error(r)
	}

	r, recap = f.deploy(map[string]any{"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=1"})
	if r.code != 1 || len(recap.Failures) != 1 || !recap.Failures[0].Unreachable {
		t.Error(r)
	}

	r = run(t, nil, "-C", root, "deploy", "-i", f.Dir+"/no-such-inventory")
	if r.code != 1 || !strings.Contains(r.stderr, "no-such-inventory") || !strings.Contains(r.stderr, "does not exist") {
		t.Error(r)
	}
}

// The image as such keeps its contract, on both cgroup versions.
func TestVerify(t *testing.T) { //nolint:tparallel // its parts use the same machine
	onMachine(t)
	for name, v2 := range map[string]bool{"cgroup v1 or the host's": false, "cgroup v2": true} {
		t.Run(name, func(t *testing.T) {
			f := newSite(t, v2)
			conf := f.Dir + "/opensm"
			if err := os.CopyFS(conf, os.DirFS(filepath.Join(root, "images/opensm/rootfs/etc/opensm"))); err != nil {
				t.Fatal(err)
			}
			env := strings.Join(f.Fabric.Environ(site.SMHost), "\n") + "\n"
			if err := os.WriteFile(conf+"/environment", []byte(env), 0o600); err != nil {
				t.Fatal(err)
			}
			r := ok(t, "--store", f.store, "--json", "verify", "opensm", "--host", f.Engine.Host(),
				"--volume", conf+":/etc/opensm:ro", "--volume", f.LibraryVolume())
			var report struct {
				Checks []struct{ ID, Status, Detail string }
			}
			if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
				t.Fatal(err)
			}
			passed := 0
			for _, c := range report.Checks {
				switch {
				case c.Status == "pass":
					passed++
				case c.ID != "host.devices": // no hardware here
					t.Errorf("%s: %s: %s", c.ID, c.Status, c.Detail)
				}
			}
			if passed < 13 {
				t.Errorf("%d checks passed, want 13", passed)
			}
		})
	}

	// Without a fabric it says what is missing, and fails.
	t.Run("no fabric", func(t *testing.T) {
		store := sharedStore(t)
		docker := labtest.Engine(t, lab.EngineOptions{})
		start := time.Now()
		r := run(t, nil, "--store", store, "verify", "opensm", "--host", docker.Host())
		if r.code != 1 || !strings.Contains(r.stdout, "no InfiniBand port") {
			t.Errorf("after %s: %v", time.Since(start), r)
		}
	})
	t.Run("no engine", func(t *testing.T) {
		r := run(t, nil, "--store", sharedStore(t), "verify", "opensm", "--host", "unix:///nowhere/docker.sock")
		if r.code != 1 || !strings.Contains(r.stderr, "/nowhere/docker.sock") || !strings.Contains(r.stderr, "start") {
			t.Error(r)
		}
	})
}
