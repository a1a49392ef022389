package kayobe

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// products are UFM and NEO on the controller, in place of OpenSM.
func (d *deployment) products() {
	d.t.Helper()
	for name, hosts := range map[string]string{"inventory/ibforge": "controllers", "kolla/inventory/ibforge": "control"} {
		text := readFile(d.t, filepath.Join(d.config, name))
		text = strings.Replace(text, "[ib-opensm:children]\n"+hosts+"\n", "[ib-opensm]\n", 1)
		for _, group := range []string{"ib-ufm", "ib-neo"} {
			text = strings.Replace(text, "["+group+"]\n", "["+group+":children]\n"+hosts+"\n", 1)
		}
		d.write(name, text)
	}
	// Kolla has Prometheus there.
	hosts := readFile(d.t, filepath.Join(d.config, "inventory/hosts"))
	d.write("inventory/hosts", strings.Replace(hosts, "[monitoring]\n", "[monitoring]\n"+controller+"\n", 1))
	cert, err := call(d.t, os.Environ(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-days", "1", "-subj", "/CN=vip", "-keyout", d.dir+"/vip.key", "-out", d.dir+"/vip.crt")
	if err != nil {
		d.t.Fatal(cert)
	}
	d.write("ibforge-neutron.yml", "ibforge_sdn_physical_networks: [ibphysnet]\nibforge_sdn_url: https://127.0.0.2:9443/ufmRestV3\n")
	pem := readFile(d.t, d.dir+"/vip.crt") + readFile(d.t, d.dir+"/vip.key")
	d.write("kolla.yml", readFile(d.t, filepath.Join(d.config, "kolla.yml"))+"kolla_enable_prometheus: \"yes\"\nkolla_enable_tls_internal: \"yes\"\n"+
		"kolla_ansible_extra_custom_passwords: {ibforge_sdn_token: token-of-this-test}\n"+
		// One VIP is for both.
		"kolla_enable_tls_external: \"yes\"\nkolla_external_tls_cert: \"{{ kolla_internal_tls_cert }}\"\n"+
		"kolla_internal_tls_cert: |\n  "+strings.ReplaceAll(strings.TrimSpace(pem), "\n", "\n  ")+"\n")
	d.write("kolla/globals.yml", readFile(d.t, filepath.Join(d.config, "kolla/globals.yml"))+"ufm_haproxy_sources: [127.0.0.0/8]\nneo_haproxy_sources: [127.0.0.0/8]\n"+
		// Kolla-Ansible 23 restarts these even where it only generates.
		"enable_prometheus_node_exporter: \"no\"\nenable_prometheus_cadvisor: \"no\"\n")
}

// What the features put into the configuration is in the files that the real
// Kolla-Ansible makes, and those who read these take it.
func TestGenerate(t *testing.T) { //nolint:tparallel // its parts are parallel, in forReleases
	t.Parallel()
	forReleases(t, newest, func(t *testing.T, r release) {
		t.Helper()
		d := newDeployment(t, r, "ufm", "neo", "sdn")
		d.products()
		timed(t, "configuration generate", d.generate)
		t.Run("haproxy", d.haproxy)
		t.Run("fluentd", d.fluentd)
		t.Run("neutron", d.neutron)
		t.Run("prometheus", d.prometheus)
	})
}

func (d *deployment) generate() {
	d.t.Helper()
	args := append([]string{"overcloud", "service", "configuration", "generate", "--node-config-dir", "/etc/kolla", "--skip-prechecks"},
		d.release.tags("loadbalancer,prometheus,neutron")...)
	d.kayobe(args...)
}

// neutron finds each line once: of two oslo.config takes the last.
func (d *deployment) neutron(t *testing.T) {
	text := d.file("/etc/kolla/neutron-server/ml2_conf.ini")
	for _, line := range []string{
		`mechanism_drivers = mlnx_sdn_assist,\S+`, `\[sdn\]`, `url = https://127\.0\.0\.2:9443/ufmRestV3`,
		`token = token-of-this-test`, `physical_networks = ibphysnet`,
	} {
		if n := len(regexp.MustCompile("(?m)^"+line+"$").FindAllString(text, -1)); n != 1 {
			t.Errorf("ml2_conf.ini has %d lines %s:\n%s", n, line, text)
		}
	}
}

// fluentd looks at what Kayobe hands to Kolla-Ansible, and templates it as that
// does: its own role wants Kolla's image of fluentd first.
func (d *deployment) fluentd(t *testing.T) {
	for service, port := range map[string]string{"ufm": "15141", "neo": "15142"} {
		name := filepath.Join(d.dir, "etc/kolla/config/fluentd/input/20-"+service+".conf")
		out, err := call(t, []string{"PATH=/usr/bin:/bin", "HOME=" + d.dir, "LANG=C.UTF-8", "ANSIBLE_NOCOLOR=1"}, filepath.Join(d.venv, "bin/ansible"),
			"localhost", "-i", "localhost,", "-c", "local", "-m", "ansible.builtin.debug", "-a", "msg={{ lookup('template', '"+name+"').splitlines() }}")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, part := range []string{`"<source>"`, `"  port ` + port + `"`, `"  tag ibforge.` + service + `"`, `"</source>"`, `"<filter ibforge.` + service + `.**>"`, `"</filter>"`} {
			if !strings.Contains(out, part) {
				t.Errorf("fluentd's input for %s has no %s:\n%s", service, part, out)
			}
		}
		if strings.Contains(out, "{{") || strings.Contains(out, "{%") {
			t.Errorf("something is left to template:\n%s", out)
		}
	}
}

// haproxy runs the real one over Kolla's files, after what needs root and
// Kolla's image is taken out of them.
func (d *deployment) haproxy(t *testing.T) {
	labtest.Need(t, lab.Tool{Name: "haproxy", Package: "haproxy"})
	dir := t.TempDir()
	pem := filepath.Join(dir, "haproxy-internal.pem")
	write(t, pem, readFile(t, d.dir+"/vip.crt")+readFile(t, d.dir+"/vip.key"))
	main := regexp.MustCompile(`(?m)^\s+(chroot|user|group|daemon|stats socket|maxconn)\b.*\n`).ReplaceAllString(d.file("/etc/kolla/haproxy/haproxy.cfg"), "")
	names, err := d.host.Exec(t.Context(), "ls", "/etc/kolla/haproxy/services.d")
	if err != nil {
		t.Fatal(err)
	}
	ca := strings.NewReplacer("/etc/haproxy/certificates/haproxy-internal.pem", pem, "/etc/haproxy/certificates/haproxy.pem", pem,
		// Where Kolla's image of Rocky has the public CAs.
		"/etc/ssl/certs/ca-bundle.crt", pem)
	write(t, filepath.Join(dir, "haproxy.cfg"), ca.Replace(main))
	for name := range strings.FieldsSeq(string(names)) {
		write(t, filepath.Join(dir, "services.d", name), ca.Replace(d.file("/etc/kolla/haproxy/services.d/"+name)))
	}
	for service, port := range map[string]string{"ufm": "7443", "neo": "3443"} {
		text := readFile(t, filepath.Join(dir, "services.d", service+".cfg"))
		if !strings.Contains(text, "server "+controller+" 127.0.0.1:"+port+" ") {
			t.Errorf("the hosts of ib-%s are no servers:\n%s", service, text)
		}
	}
	out, err := call(t, os.Environ(), "haproxy", "-c", "-f", filepath.Join(dir, "haproxy.cfg"), "-f", filepath.Join(dir, "services.d"))
	if err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, out)
	}
}
