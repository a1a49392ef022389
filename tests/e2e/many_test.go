package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// crowd is hosts that have a subnet manager and a fabric each.
type crowd struct {
	t       *testing.T
	dir     string
	hosts   map[string]*lab.Host
	fabrics map[string]*lab.Fabric
	vars    map[string]any
}

func newCrowd(t *testing.T, n int) *crowd {
	t.Helper()
	store := sharedStore(t)
	start := time.Now()
	moreInotify(t, 16*n)
	c := &crowd{t: t, dir: labtest.Dir(t), hosts: map[string]*lab.Host{}, fabrics: map[string]*lab.Fabric{}, vars: map[string]any{}}
	ok(t, "--store", store, "push", "opensm", "docker-archive:"+c.dir+"/opensm.tar", "--images-file", c.dir+"/images.yml")
	for i := range n {
		name := fmt.Sprintf("sm%02d", i+1)
		h := labtest.Host(t, lab.HostOptions{Name: name})
		c.hosts[name] = h
		c.fabrics[name] = labtest.Fabric(t, lab.FabricOptions{Network: h.Network()})
		vars := simulated(h, c.fabrics[name])
		vars["ib_opensm_fabric"] = name
		c.vars[name] = vars
	}
	t.Logf("%d hosts after %s", n, time.Since(start).Round(100*time.Millisecond))
	return c
}

// moreInotify gives root at least n inotify instances while the test runs. Every
// systemd needs a handful, in a host and in a container, and the kernel grants
// 128 to all of a user's (inotify(7), max_user_instances).
func moreInotify(t *testing.T, n int) {
	t.Helper()
	const setting = "/proc/sys/fs/inotify/max_user_instances"
	before, err := os.ReadFile(setting)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := strconv.Atoi(strings.TrimSpace(string(before))); err != nil || has >= n {
		return
	}
	if err := os.WriteFile(setting, []byte(strconv.Itoa(n)), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(setting, before, 0); err != nil {
			t.Error(err)
		}
	})
}

// simulated are the variables of a lab host with a simulated fabric in its
// network.
func simulated(h *lab.Host, f *lab.Fabric) map[string]any {
	vars := site.Site{Fabric: f}.Variables()
	maps.Copy(vars, h.Variables())
	return vars
}

// writeHosts writes an inventory of subnet managers.
func writeHosts(t *testing.T, file string, hosts map[string]any) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"ib_opensm": map[string]any{"hosts": hosts}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// deploy runs the playbook on all hosts, or on some, ten at a time.
func (c *crowd) deploy(only ...string) (result, deploy.Recap) {
	c.t.Helper()
	inventory := filepath.Join(c.dir, "inventory.json")
	writeHosts(c.t, inventory, c.vars)
	start := time.Now()
	r := run(c.t, []string{"ANSIBLE_FORKS=10"}, "-C", root, "--json", "deploy", "-i", inventory,
		"--images-file", c.dir+"/images.yml", "-e", fmt.Sprintf("ibforge_serial=%d", len(c.hosts)), "--limit", strings.Join(only, ","))
	c.t.Logf("deploy, limited to %v: %s", only, time.Since(start).Round(100*time.Millisecond))
	var recap deploy.Recap
	if r.stdout == "" {
		c.t.Fatal(r)
	}
	if err := json.Unmarshal([]byte(r.stdout), &recap); err != nil {
		c.t.Fatalf("%v\n%v", err, r)
	}
	return r, recap
}

// on runs a script on a host.
func (c *crowd) on(name, script string) string {
	c.t.Helper()
	return inHost(c.t, c.hosts[name], script)
}

func inHost(t *testing.T, h *lab.Host, script string) string {
	t.Helper()
	out, err := h.Exec(t.Context(), "sh", "-ec", script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// What is wrong with three hosts of the twenty, in the words of the report.
const (
	unreachable = "sm03" // has no power
	fullDisk    = "sm10" // has not a byte left where the configuration goes
	portTaken   = "sm17" // another subnet manager has its port
)

// breakThree does it.
func (c *crowd) breakThree() {
	c.t.Helper()
	if err := c.hosts[unreachable].Crash(); err != nil {
		c.t.Fatal(err)
	}
	c.on(fullDisk, `mkdir /etc/ibforge
		mount -t tmpfs -o size=256k tmpfs /etc/ibforge
		head -c 1M /dev/zero >/etc/ibforge/filler || true`)
	if err := c.hosts[portTaken].Put(c.dir+"/opensm.tar", "/root/opensm.tar"); err != nil {
		c.t.Fatal(err)
	}
	c.on(portTaken, `id=$(docker load --quiet --input /root/opensm.tar | sed 's/.*: //')
		rm /root/opensm.tar
		docker run --detach --name somebodys --network none --label io.ibforge.excludes=subnet-manager --entrypoint sleep "$id" infinity`)
}

// mendThree undoes it as an operator would.
func (c *crowd) mendThree() {
	c.t.Helper()
	if err := c.hosts[unreachable].Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.on(fullDisk, "rm /etc/ibforge/filler")
	c.on(portTaken, "docker rm --force somebodys")
}

// Three of twenty hosts cannot be deployed to, each for another reason. The
// others are, the report names the three and their reasons, and nothing is half
// done on them; the next run does what is left and nothing else.
func TestTwentyHosts(t *testing.T) {
	if os.Getenv(matrixEnv) == "" {
		t.Skip("twenty hosts take all of a small machine: make test-matrix runs it")
	}
	c := newCrowd(t, 20)
	broken := []string{unreachable, fullDisk, portTaken}
	c.breakThree()
	taken := c.state(portTaken)

	r, recap := c.deploy()
	want := map[string]string{
		unreachable: "ssh", fullDisk: "No space left on device",
		portTaken: "container somebodys is a subnet-manager too, and one host runs one: stop it first",
	}
	if r.code != 1 || len(recap.Failures) != len(want) {
		t.Errorf("exit code %d, failures %+v", r.code, recap.Failures)
	}
	for _, f := range recap.Failures {
		if reason, broken := want[f.Host]; !broken || !strings.Contains(f.Message, reason) || f.Unreachable != (f.Host == unreachable) {
			t.Errorf("%s fails, unreachable %v: %s", f.Host, f.Unreachable, f.Message)
		}
		delete(want, f.Host)
	}
	if len(want) > 0 {
		t.Errorf("nobody says of what is wrong with %v: %v", want, r)
	}
	c.halves(taken)
	for name, fabric := range c.fabrics {
		if slices.Contains(broken, name) {
			continue
		}
		if sm, err := fabric.WaitMaster(t.Context()); err != nil || sm.State != lab.SMMaster {
			t.Errorf("%s is not done: %+v, %v", name, sm, err)
		}
	}

	c.mendThree()
	r, recap = c.deploy()
	for name := range c.hosts {
		if n := recap.Hosts[name].Changed; r.code != 0 || (n > 0) != slices.Contains(broken, name) {
			t.Errorf("exit code %d, the second run changed %d things on %s", r.code, n, name)
		}
	}
	if r.code != 0 {
		t.Fatal(r)
	}
	// The others have had their run without changes.
	r, recap = c.deploy(broken...)
	for _, name := range broken {
		if n := recap.Hosts[name].Changed; r.code != 0 || n != 0 {
			t.Errorf("exit code %d, the third run changed %d things on %s", r.code, n, name)
		}
		if sm, err := c.fabrics[name].WaitMaster(t.Context()); err != nil || sm.State != lab.SMMaster {
			t.Errorf("%s: %+v, %v", name, sm, err)
		}
	}
}

func (c *crowd) state(name string) lab.HostState {
	c.t.Helper()
	s, err := c.hosts[name].State(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// halves expects that a host is as it was where its fault was found before
// anything was written, and that where the disk was full no file is cut off.
func (c *crowd) halves(taken lab.HostState) {
	c.t.Helper()
	if diff := taken.Diff(c.state(portTaken)); len(diff) > 0 {
		c.t.Errorf("%s was changed:\n%s", portTaken, strings.Join(diff, "\n"))
	}
	if left := c.on(fullDisk, "find /etc/ibforge -type f ! -name filler; docker ps --all --quiet; find /tmp /var/lib -maxdepth 1 -name 'ibforge*'"); left != "" {
		c.t.Errorf("on %s there is:\n%s", fullDisk, left)
	}
}
