package kolla

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsOfGlobals(t *testing.T) {
	g := site(t, `horizon_port: eighty
horizon_tls_port: 70000
enable_heat: "{{ enable_openstack_core | bool }}"
nova_console:
  - novnc
database_port: !vault |
  $ANSIBLE_VAULT;1.1;AES256
keystone_ssh_port:
# Nothing asks for these.
cinder_backends: [a, b]
docker_registry: "{{ nobody }}"
`)
	_, err := release(t, "2025.1").Used(g)
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		`globals.yml:1: horizon_port is "eighty"; a port is a number from 1 to 65535`,
		`globals.yml:3: enable_heat is "{{ enable_openstack_core | bool }}", and what Jinja makes of it is known to Ansible only; write the result in a copy of the file`,
		`globals.yml:4: nova_console is a list or a mapping; it takes one value`,
		`globals.yml:6: database_port is encrypted; write its value in a copy of the file`,
		`globals.yml:8: keystone_ssh_port is ""; a port is a number from 1 to 65535`,
	}
	// Without TLS nobody binds horizon_tls_port.
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A number that is wrong because of another variable names what was asked for.
func TestDerivedFault(t *testing.T) {
	_, err := release(t, "2025.1").Used(site(t, "enable_central_logging: yes\nelasticsearch_port: none\n"))
	if err == nil || err.Error() != `opensearch_port is "none" by what is set for Kolla; a port is a number from 1 to 65535` {
		t.Errorf("got %v", err)
	}
}

func TestReadGlobals(t *testing.T) {
	first := site(t, "horizon_port: 81\nheat_api_port: 0x1F50\n")
	both, err := ReadGlobals(first, "globals.d/a.yml", []byte("---\nhorizon_port: &p '82'\ngrafana_server_port: *p\n"))
	if err != nil {
		t.Fatal(err)
	}
	ports, err := release(t, "2025.1").Used(both)
	if err != nil {
		t.Fatal(err)
	}
	if missing := has(ports, []string{"horizon_port=82@internal_vip", "heat_api_port=8016@internal_vip"}); len(missing) > 0 {
		t.Errorf("missing: %q", missing)
	}
	if text := first.values["horizon_port"].text; text != "81" {
		t.Errorf("what was read before has become %q", text)
	}
	for _, empty := range []string{"", "---\n", "# a\n", "null\n"} {
		if _, err := ReadGlobals(Globals{}, "g", []byte(empty)); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
	for text, want := range map[string]string{
		"- a\n":   "g:1: this is no mapping from variables to values; give the globals.yml of Kolla-Ansible",
		"a: b: c": "g is no YAML: yaml: mapping values are not allowed in this context; give the globals.yml of Kolla-Ansible",
	} {
		if _, err := ReadGlobals(Globals{}, "g", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	g := site(t, `horizon_prot: 80
horizzon_port: 80
horizon_port: 80
om_rpc_port: 5672
elasticsearch_port: 9200
enable_neutron_port_forwarding: yes
ironic_inspector_port: 5050
`)
	want := []string{"globals.yml:2: horizzon_port", "globals.yml:7: ironic_inspector_port"}
	if diff := cmp.Diff(want, release(t, "2026.1").Unknown(g)); diff != "" {
		t.Errorf("2026.1 (-want +got):\n%s", diff)
	}
	if got := release(t, "2025.1").Unknown(g); len(got) != 1 {
		t.Errorf("2025.1 knows ironic_inspector_port: %q", got)
	}
}
