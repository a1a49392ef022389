package kolla

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// table is the one that ibforge carries.
func table(t *testing.T) Table {
	t.Helper()
	raw, err := os.ReadFile("../../../configs/kolla-ports.json")
	if err != nil {
		t.Fatal(err)
	}
	out, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func release(t *testing.T, name string) Release {
	t.Helper()
	r, err := table(t).Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// site reads globals.yml.
func site(t *testing.T, text string) Globals {
	t.Helper()
	g, err := ReadGlobals(Globals{}, "globals.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The numbers are Ansible's own, the expressions a translation: the two agree.
func TestExpressionsGiveWhatAnsibleGives(t *testing.T) {
	for _, r := range table(t).Releases {
		var faults, derived []error
		s := scope{release: r.Variables, faults: &faults, derived: &derived}
		for _, e := range r.Entries {
			if e.Variable == "" {
				continue
			}
			if got := s.variable(e.Variable); got != strconv.Itoa(e.Number) {
				t.Errorf("%s: %s is %q, Ansible says %d", r.Name, e.Variable, got, e.Number)
			}
			if got := truth(s.variable(e.EnabledBy)); got != e.Default {
				t.Errorf("%s: %s is %v, Ansible says %v", r.Name, e.EnabledBy, got, e.Default)
			}
		}
		if len(r.Entries) < 150 || len(faults)+len(derived) > 0 {
			t.Errorf("%s: %d entries, faults %v %v", r.Name, len(r.Entries), faults, derived)
		}
	}
}

// has tells which of "variable=number@listens" are among the ports.
func has(ports []Port, wanted []string) (missing []string) {
	for _, w := range wanted {
		if !slices.ContainsFunc(ports, func(p Port) bool { return fmt.Sprintf("%s=%d@%s", p.Variable, p.Number, p.Listens) == w }) {
			missing = append(missing, w)
		}
	}
	return missing
}

// The expectations are read off the role defaults and group_vars of
// kolla-ansible 20.6.0 and 22.2.0.
func TestUsed(t *testing.T) {
	for _, c := range []struct {
		name, release, globals string
		with, without          []string
	}{
		{
			"nothing is set", "2025.1", "# only comments\n",
			[]string{"horizon_port=80@internal_vip", "horizon_listen_port=80@api", "heat_api_cfn_port=8000@internal_vip", "rabbitmq_port=5672@api"},
			[]string{"horizon_tls_port=443@internal_vip", "ironic_http_port=8089@ironic_http", "designate_api_port=9001@internal_vip"},
		},
		{
			"TLS on the one VIP", "2026.1", "kolla_enable_tls_internal: true\n",
			[]string{"horizon_tls_port=443@internal_vip", "horizon_tls_port=443@external_vip", "horizon_port=80@internal_vip", "horizon_listen_port=8080@api"},
			nil,
		},
		{
			"TLS on the external VIP alone", "2026.1",
			"kolla_internal_vip_address: 10.0.0.1\nkolla_external_vip_address: 10.0.1.1\nkolla_enable_tls_external: \"yes\"\n",
			[]string{"horizon_tls_port=443@external_vip", "horizon_port=80@internal_vip"},
			[]string{"horizon_tls_port=443@internal_vip"},
		},
		{
			"without HAProxy Horizon itself has 80", "2026.1", "enable_haproxy: \"no\"\n",
			[]string{"horizon_listen_port=80@api", "heat_api_cfn_listen_port=8000@api"},
			[]string{"horizon_port=80@internal_vip", "heat_api_cfn_port=8000@internal_vip", "haproxy_stats_port=1984@api"},
		},
		{
			"one external frontend", "2026.1", "haproxy_single_external_frontend: yes\n",
			[]string{"haproxy_single_external_frontend_public_port=80@external_vip", "heat_api_cfn_port=8000@internal_vip"},
			[]string{"heat_api_cfn_public_port=80@external_vip", "horizon_port=80@external_vip"},
		},
		{
			"what is made of a port follows it", "2025.1", "heat_api_cfn_port: 8010\nheat_api_cfn_public_port: \"8011\"\n",
			[]string{"heat_api_cfn_port=8010@internal_vip", "heat_api_cfn_listen_port=8010@api", "heat_api_cfn_public_port=8011@external_vip"},
			[]string{"heat_api_cfn_port=8000@internal_vip"},
		},
		{
			"no core services", "2025.1", "enable_openstack_core: 'no'\nenable_ironic: True\n",
			[]string{"ironic_http_port=8089@ironic_http", "=69@ironic_tftp", "haproxy_stats_port=1984@api"},
			[]string{"horizon_port=80@internal_vip", "heat_api_cfn_port=8000@internal_vip", "nova_api_port=8774@internal_vip"},
		},
		{
			"a switch that follows others", "2025.1", "enable_prometheus: yes\nneutron_plugin_agent: ovn\nnova_console: spice\n",
			[]string{
				"prometheus_node_exporter_port=9100@api", "prometheus_libvirt_exporter_port=9177@api", "ovn_nb_db_port=6641@api",
				"ovn_sb_db_relay_port=16641@api", "nova_spicehtml5proxy_port=6082@internal_vip",
			},
			[]string{"nova_novncproxy_port=6080@internal_vip", "prometheus_elasticsearch_exporter_port=9108@api"},
		},
		{
			"a deprecated name", "2025.1", "enable_central_logging: 1\nelasticsearch_port: 9201\n",
			[]string{"opensearch_port=9201@api"},
			[]string{"opensearch_port=9200@api"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ports, err := release(t, c.release).Used(site(t, c.globals))
			if err != nil {
				t.Fatal(err)
			}
			if missing := has(ports, c.with); len(missing) > 0 {
				t.Errorf("missing: %q", missing)
			}
			if extra := len(c.without) - len(has(ports, c.without)); extra > 0 {
				t.Errorf("%d of %q are there", extra, c.without)
			}
		})
	}
}

// Those of the facts on UFM: what NVIDIA's manual has it bind, and who wants
// the same in a default Kolla with every service on.
func TestCollisionsWithUFM(t *testing.T) {
	for number, variable := range map[int]string{
		80: "horizon_port", 443: "horizon_tls_port", 8080: "horizon_listen_port", 8000: "heat_api_cfn_port",
		8089: "ironic_http_port", 8081: "letsencrypt_webserver_port", 9001: "designate_api_port",
	} {
		for _, name := range []string{"2025.2", "2026.1", "2026.2"} {
			if !slices.ContainsFunc(release(t, name).All(), func(p Port) bool { return p.Variable == variable && p.Number == number && p.Protocol == "tcp" }) {
				t.Errorf("%s: %s is not %d", name, variable, number)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`{"version": 2, "releases": []}`:    "is of version 2, this ibforge reads version 1",
		`{"version": 1, "releases": []}`:    "has no release",
		`{"version": 1, "extra": 1}`:        `unknown field "extra"`,
		expression(`["xor", "$a", "$b"]`):   `there is no operation "xor" of 2 operands`,
		expression(`["if", "$a", "$b"]`):    `there is no operation "if" of 2 operands`,
		expression(`["and"]`):               `there is no operation "and" of 0 operands`,
		expression(`["not", ["nor", "1"]]`): `there is no operation "nor" of 1 operands`,
		expression(`["default", "a", "b"]`): "only a variable can have a default",
		expression(`[["not"], "a"]`):        "it names no operation",
		expression(`[]`):                    "neither a string nor a list",
		expression(`8000`):                  "neither a string nor a list",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
	if _, err := Parse([]byte(expression(`["if", ["eq", "$a", "b"], "1", ["default", "$c", "2"]]`))); err != nil {
		t.Error(err)
	}
}

// expression is a table with one variable.
func expression(value string) string {
	return `{"version": 1, "releases": [{"release": "r", "kolla_ansible": "1", "variables": {"v": ` + value + `}, "ports": [], "not_bound": []}]}`
}

// A table that was put together by hand ends in a message, not in a loop.
func TestTablesWithHoles(t *testing.T) {
	for _, value := range []string{`"$v"`, `["not", "$v"]`, `"$w"`} {
		parsed, err := Parse([]byte(expression(value)))
		if err != nil {
			t.Fatal(err)
		}
		r := parsed.Newest()
		r.Entries = []Entry{{Port: Port{Variable: "v"}, When: Expression{text: "true"}}}
		if _, err := r.Used(Globals{}); err == nil || !strings.Contains(err.Error(), "use the table that belongs to this ibforge") {
			t.Errorf("%s: got %v", value, err)
		}
	}
}

func TestFind(t *testing.T) {
	_, err := table(t).Find("2023.1")
	var unknown *UnknownReleaseError
	if !errors.As(err, &unknown) || err.Error() != `the table of Kolla's ports has no release "2023.1"; it has 2024.1, 2024.2, 2025.1, 2025.2, 2026.1, 2026.2` {
		t.Errorf("got %v", err)
	}
	if got := table(t).Newest().Name; got != "2026.2" {
		t.Errorf("the newest is %s", got)
	}
}
