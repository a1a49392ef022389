package kayobe

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// deployment is a Kayobe configuration with one controller, a host of the lab,
// on whose network a simulated fabric is.
type deployment struct {
	t       *testing.T
	release release
	// venv is the environment of Kayobe and Kolla-Ansible, dir what the
	// deployment writes, config $KAYOBE_CONFIG_PATH.
	venv, dir, config string
	host              *lab.Host
	fabric            *lab.Fabric
	// fired are Kayobe's commands whose hook of ours has run, as hooks.yml has
	// them.
	fired map[string]bool
}

// controller is the name of the one host.
const controller = "ctl0"

// networks are all of Kayobe's, on the loopback device.
const networks = `---
admin_oc_net_name: int
oob_oc_net_name: int
provision_oc_net_name: int
oob_wl_net_name: int
provision_wl_net_name: int
internal_net_name: int
public_net_name: int
tunnel_net_name: int
storage_net_name: int
storage_mgmt_net_name: int
swift_storage_net_name: int
swift_storage_replication_net_name: int
inspection_net_name: int
cleaning_net_name: int
external_net_names: [int]
int_cidr: 127.0.0.0/8
int_vip_address: 127.0.0.2
int_interface: lo
int_ips: {ctl0: 127.0.0.1}
`

// newDeployment starts from Kayobe's own example, as an operator does, and
// installs the overlay with these features.
func newDeployment(t *testing.T, r release, features ...string) *deployment {
	t.Helper()
	d := &deployment{t: t, release: r, venv: r.venv(t), dir: labtest.Dir(t), fired: map[string]bool{}}
	d.config = filepath.Join(d.dir, "etc/kayobe")
	d.host = labtest.Host(t, lab.HostOptions{Name: controller})
	d.fabric = labtest.Fabric(t, lab.FabricOptions{Network: d.host.Network()})
	if err := os.CopyFS(d.config, os.DirFS(filepath.Join(d.venv, "share/kayobe/etc_examples/kayobe"))); err != nil {
		t.Fatal(err)
	}
	// It names a Python that Kayobe would have made on the hosts.
	if err := os.RemoveAll(filepath.Join(d.config, "inventory/group_vars/overcloud")); err != nil {
		t.Fatal(err)
	}
	d.write("inventory/hosts", "localhost ansible_connection=local ansible_python_interpreter=\"{{ ansible_playbook_python }}\"\n"+
		"[controllers]\n"+controller+"\n[compute]\n[storage]\n[monitoring]\n")
	d.write("inventory/group_vars/controllers/net", "int_interface: lo\n")
	d.write("networks.yml", networks)
	d.write("globals.yml", "base_path: "+d.dir+"/base\nkayobe_ansible_user: root\n")
	d.write("ssh.yml", "ssh_private_key_path: "+d.dir+"/id\n")
	if out, err := call(t, os.Environ(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", d.dir+"/id"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	reach := d.host.Variables()
	names := slices.Sorted(maps.Keys(reach))
	d.write("kolla.yml", "kolla_ansible_target_venv:\nkolla_ansible_user: root\nkolla_overcloud_inventory_pass_through_host_vars_extra: ["+
		strings.Join(slices.DeleteFunc(names, func(n string) bool { return n == "ansible_host" || n == "ansible_user" }), ", ")+"]\n")
	// What takes long and is not looked at.
	d.write("kolla/globals.yml", `enable_openstack_core: "no"
enable_neutron: "yes"
enable_horizon: "yes"
enable_keepalived: "no"
enable_fluentd: "no"
enable_mariadb: "no"
enable_proxysql: "no"
`)
	d.vars(reach)
	d.install(features...)
	return d
}

// vars adds variables of the controller.
func (d *deployment) vars(more map[string]any) {
	d.t.Helper()
	name := filepath.Join(d.config, "inventory/host_vars", controller)
	all := map[string]any{}
	if old, err := os.ReadFile(name); err == nil {
		if err := json.Unmarshal(old, &all); err != nil {
			d.t.Fatal(err)
		}
	}
	maps.Copy(all, more)
	text, err := json.Marshal(all)
	if err != nil {
		d.t.Fatal(err)
	}
	write(d.t, name, string(text))
}

// lab adds what the roles have to know of the simulated fabric, and the images.
func (d *deployment) lab(services ...string) {
	d.t.Helper()
	all, err := site.Site{Dir: d.dir, Fabric: d.fabric}.OnHost(d.host)
	if err != nil {
		d.t.Fatal(err)
	}
	d.vars(all)
	d.images(checkout(d.t), services...)
}

// images brings those of a project into the configuration.
func (d *deployment) images(project string, services ...string) {
	d.t.Helper()
	buildImages(d.t, project, filepath.Join(d.config, "ibforge-images.yml"), services...)
}

// write makes a file of the configuration.
func (d *deployment) write(name, text string) {
	d.t.Helper()
	write(d.t, filepath.Join(d.config, name), text)
}

// try runs Kayobe as an operator does who has sourced its environment.
func (d *deployment) try(args ...string) (string, error) {
	d.t.Helper()
	return call(d.t, []string{
		"PATH=" + d.venv + "/bin:/usr/sbin:/usr/bin:/sbin:/bin", "VIRTUAL_ENV=" + d.venv, "HOME=" + d.dir, "LANG=C.UTF-8",
		"KAYOBE_CONFIG_PATH=" + d.config, "KOLLA_CONFIG_PATH=" + d.dir + "/etc/kolla", "KOLLA_VENV_PATH=" + d.venv,
		"ANSIBLE_NOCOLOR=1", "ANSIBLE_HOME=" + d.dir + "/ansible",
	}, append([]string{filepath.Join(d.venv, "bin/kayobe")}, args...)...)
}

// kayobe expects success.
func (d *deployment) kayobe(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("kayobe %q: %v\n%s", args, err, lastLines(out, 80))
	}
	return out
}

// playbook runs one of the overlay's playbooks.
func (d *deployment) playbook(verb string, args ...string) string {
	d.t.Helper()
	return d.kayobe(append([]string{"playbook", "run", filepath.Join(d.config, "ansible/ibforge-"+verb+".yml")}, args...)...)
}

var (
	play  = regexp.MustCompile(`(?m)^PLAY \[(.*)\] \**$`)
	recap = regexp.MustCompile(`(?m)^` + controller + ` +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)`)
)

// changes are those of the run of ansible-playbook that had this play.
func changes(t *testing.T, out, name string) int {
	t.Helper()
	at := strings.LastIndex(out, "PLAY ["+name+"]")
	if at < 0 {
		t.Fatalf("there was no play %q; there were %q", name, plays(out))
	}
	m := recap.FindStringSubmatch(out[at:])
	if m == nil {
		t.Fatalf("no recap after play %q:\n%s", name, lastLines(out[at:], 40))
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// plays are the names of the plays that ran, in their order.
func plays(out string) []string {
	var names []string
	for _, m := range play.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	return names
}

// file gives a text of the host.
func (d *deployment) file(name string) string {
	d.t.Helper()
	return d.exec("cat", name)
}

// exec runs a program on the host.
func (d *deployment) exec(argv ...string) string {
	d.t.Helper()
	out, err := d.host.Exec(d.t.Context(), argv...)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(out)
}
