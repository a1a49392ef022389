package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// burnPIDs keeps the second container's OpenSM from having the process ID of
// the first one's, by which the simulator tells its clients.
const burnPIDs = `[Service]
ExecStartPre=/bin/sh -c 'i=0; while [ $$i -lt 300 ]; do (:); i=$$((i+1)); done'
`

// pair is two hosts with an engine each and one fabric between them, or one
// of the two alone.
type pair struct {
	t           *testing.T
	dir, images string
	fabric      *lab.Fabric
	engines     map[string]*lab.Engine
	hosts       map[string]map[string]any
	vars        map[string]any
}

// ports are the hosts' places on the fabric.
var ports = map[string]string{"ctl1": "Hca1", "ctl2": "Hca2"} //nolint:gochecknoglobals // a constant in all but name

func newPair(t *testing.T) *pair {
	t.Helper()
	return newHosts(t, "ctl1", "ctl2")
}

func newHosts(t *testing.T, names ...string) *pair {
	t.Helper()
	store := sharedStore(t)
	python, err := filepath.Abs(filepath.Join(root, ".cache/venv/bin/python"))
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{t: t, dir: labtest.Dir(t), fabric: labtest.Fabric(t, lab.FabricOptions{}), engines: map[string]*lab.Engine{}, hosts: map[string]map[string]any{}}
	p.images = p.dir + "/images.yml"
	ok(t, "--store", store, "push", "opensm", "docker-archive:"+p.dir+"/opensm.tar", "--images-file", p.images)
	burn := p.dir + "/burn.conf"
	if err := os.WriteFile(burn, []byte(burnPIDs), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		hca := ports[name]
		p.engines[name] = labtest.Engine(t, lab.EngineOptions{})
		env := map[string]string{}
		for _, kv := range p.fabric.Environ(hca) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		volumes := []string{p.fabric.Library() + ":" + p.fabric.Library() + ":ro"}
		if name == "ctl2" {
			volumes = append(volumes, burn+":/etc/systemd/system/opensm-ports.service.d/burn.conf:ro")
		}
		p.hosts[name] = map[string]any{
			"ib_opensm_docker_host": p.engines[name].Host(), "ib_opensm_config_dir": p.conf(name),
			"ib_opensm_environment": env, "ib_opensm_extra_volumes": volumes,
			// These hosts are one machine: none may sweep away another's archives.
			"ib_service_work_dir": filepath.Join(p.dir, "work-"+name),
		}
	}
	p.vars = map[string]any{
		"ansible_connection": "local", "ansible_python_interpreter": python, "ibforge_become": false,
		"ib_opensm_image_source": "archive", "ib_opensm_simulated_fabric": true,
		// The simulator loses a handover now and then; the next sweep finds it.
		"ib_opensm_sweep_interval": 3,
	}
	return p
}

func (p *pair) conf(host string) string { return filepath.Join(p.dir, "etc-"+host) }

// act runs a playbook on some of the hosts, with variables for all of them.
func (p *pair) act(action string, vars map[string]any, hosts ...string) (result, deploy.Recap) {
	p.t.Helper()
	all := maps.Clone(p.vars)
	maps.Copy(all, vars)
	raw, err := yaml.Marshal(map[string]any{"all": map[string]any{"vars": all}, "ib_opensm": map[string]any{"hosts": p.hosts}})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.dir+"/inventory.yml", raw, 0o600); err != nil {
		p.t.Fatal(err)
	}
	args := []string{"-C", root, "--json", "deploy", "-i", p.dir + "/inventory.yml", "--images-file", p.images, "--action", action}
	if len(hosts) > 0 {
		args = append(args, "--limit", strings.Join(hosts, ","))
	}
	r := run(p.t, nil, args...)
	var recap deploy.Recap
	if r.stdout != "" {
		if err := json.Unmarshal([]byte(r.stdout), &recap); err != nil {
			p.t.Fatalf("%v\n%v", err, r)
		}
	}
	return r, recap
}

func (p *pair) must(action string, vars map[string]any, hosts ...string) deploy.Recap {
	p.t.Helper()
	r, recap := p.act(action, vars, hosts...)
	if r.code != 0 {
		p.t.Fatal(r)
	}
	return recap
}

// kill ends a host's container as a crash does.
func (p *pair) kill(host string) time.Time {
	p.t.Helper()
	at := time.Now()
	if err := p.engines[host].Client().ContainerKill(p.t.Context(), "ib_opensm", "KILL"); err != nil {
		p.t.Fatal(err)
	}
	return at
}

// start starts a host's container after kill.
func (p *pair) start(host string) {
	p.t.Helper()
	if err := p.fabric.Bury(p.t.Context(), ports[host]); err != nil {
		p.t.Fatal(err)
	}
	if err := p.engines[host].Client().ContainerStart(p.t.Context(), "ib_opensm", container.StartOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) exec(host string, argv ...string) string {
	p.t.Helper()
	return execIn(p.t, p.engines[host], "ib_opensm", argv...)
}

func (p *pair) health(host string) string {
	p.t.Helper()
	return p.exec(host, "/usr/libexec/ibforge/opensm-health")
}

func (p *pair) guid(host string) uint64 {
	p.t.Helper()
	port, err := p.fabric.Host(p.t.Context(), ports[host])
	if err != nil {
		p.t.Fatal(err)
	}
	return port.GUID
}

// awaitMaster waits until the fabric is up with this host as its master.
func (p *pair) awaitMaster(host string) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	want := p.guid(host)
	for {
		sm, err := p.fabric.WaitMaster(ctx)
		if err != nil {
			return err
		}
		if sm.GUID == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the master is 0x%x, and should be %s", sm.GUID, host)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

var stateLine = regexp.MustCompile(`(?m)^(\w{3} +\d+ [\d:]{8}) (\d{6}) .*Entering (\w+) state`)

// entered are the times at which a host's OpenSM says that it came into a state.
func (p *pair) entered(host, state string) []time.Time {
	p.t.Helper()
	var out []time.Time
	for _, found := range stateLine.FindAllStringSubmatch(p.exec(host, "sh", "-c", "cat /var/log/opensm/*/opensm.log"), -1) {
		if found[3] != state {
			continue
		}
		at, err := time.ParseInLocation("2006 Jan 2 15:04:05.000000", fmt.Sprintf("%d %s.%s", time.Now().UTC().Year(), strings.Join(strings.Fields(found[1]), " "), found[2]), time.UTC)
		if err != nil {
			p.t.Fatal(err)
		}
		out = append(out, at)
	}
	return out
}

// becameMaster is when a host's OpenSM says that it became master last.
func (p *pair) becameMaster(host string) time.Time {
	p.t.Helper()
	all := p.entered(host, "MASTER")
	if len(all) == 0 {
		return time.Time{}
	}
	return all[len(all)-1]
}

// pkeys are a host's, sorted and without the empty ones and the mark.
func (p *pair) pkeys(hca string) []uint16 {
	p.t.Helper()
	all, err := p.fabric.PKeys(p.t.Context(), hca, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(k uint16) bool { return k == 0 })
	slices.Sort(all)
	return all
}

// handBack starts the first host again, which is master by its priority. On
// the simulator that hangs now and then, and then both are restarted: an OpenSM
// that stands by below its rank sends trap 144 (osm_sminfo_rcv.c), ibsim drops
// the master's repress of it ("got trap repress"), and libumad2sim, unlike the
// kernel, ends no request by its timeout. As master it waits for that answer
// before it sweeps, for ever (wait_for_pending_transactions, osm_state_mgr.c).
func (p *pair) handBack(t *testing.T) {
	t.Helper()
	p.start("ctl1")
	err := p.settled()
	for try := 0; err != nil && try < 3; try++ {
		t.Logf("handing back was lost on the simulator: %v", err)
		p.kill("ctl1")
		p.kill("ctl2")
		p.start("ctl1")
		if err = p.awaitMaster("ctl1"); err == nil {
			p.start("ctl2")
			err = p.settled()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// settled waits until the first host is master and the second one stands by.
func (p *pair) settled() error {
	p.t.Helper()
	if err := p.awaitMaster("ctl1"); err != nil {
		return err
	}
	health := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if health = p.health("ctl2"); strings.Contains(health, "standby") {
			return nil
		}
	}
	return fmt.Errorf("the health of ctl2 says %q, and should name a standby", health)
}
