package kayobe

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// probes are the jobs of the overlay by what Prometheus asks of each: the
// blackbox exporter, for that page, by that module.
func probes() map[string]map[string]string {
	probe := func(page string) map[string]string {
		return map[string]string{"__scheme__": "http", "__address__": "127.0.0.1:9115", "__metrics_path__": "/probe", "__param_module": "http_2xx", "__param_target": page}
	}
	return map[string]map[string]string{
		"ibforge_ufm": probe("https://127.0.0.2:9443/ufm_web/"),
		"ibforge_neo": probe("https://127.0.0.2:9444/neo/login"),
	}
}

// prometheus has the real programs read what Kolla-Ansible made: Prometheus its
// configuration, where our jobs stand beside Kolla's, and the exporter its own,
// which has to have the module that they ask for.
func (d *deployment) prometheus(t *testing.T) {
	labtest.Need(t, lab.Tool{Name: "promtool", Package: "prometheus"}, lab.Tool{Name: "prometheus-blackbox-exporter", Package: "prometheus-blackbox-exporter"})
	dir := d.copied(t, "prometheus-server", "/etc/prometheus/")
	config := filepath.Join(dir, "prometheus.yml")
	promtool(t, "check", "config", config)
	var all struct {
		Jobs []struct {
			Name string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(readFile(t, config)), &all); err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, j := range all.Jobs {
		if strings.HasPrefix(j.Name, "ibforge_") {
			ours++
		}
	}
	if ours != len(probes()) || len(all.Jobs) == ours {
		t.Errorf("the jobs are %v", all.Jobs)
	}
	for job, want := range probes() {
		d.probed(t, config, job, want)
	}

	dir = d.copied(t, "prometheus-blackbox-exporter", "/etc/prometheus/")
	config = filepath.Join(dir, "prometheus-blackbox-exporter.yml")
	if out, err := call(t, os.Environ(), "prometheus-blackbox-exporter", "--config.check", "--config.file="+config); err != nil {
		t.Errorf("blackbox_exporter --config.check: %v\n%s", err, out)
	}
	if text := readFile(t, config); !strings.Contains(text, "\n  http_2xx:\n") {
		t.Errorf("Kolla's exporter has no module http_2xx:\n%s", text)
	}
}

// probed looks at the one target of a job after relabelling, as Prometheus does
// it.
func (*deployment) probed(t *testing.T, config, job string, want map[string]string) {
	t.Helper()
	// It waits as long as it may, though the target is known at once.
	out := promtool(t, "check", "service-discovery", "--timeout=1s", config, job)
	var targets []struct{ Labels map[string]string }
	if err := json.Unmarshal([]byte(out), &targets); err != nil || len(targets) != 1 {
		t.Fatalf("%s has %d targets, %v:\n%s", job, len(targets), err, out)
	}
	got := targets[0].Labels
	service := strings.TrimPrefix(job, "ibforge_")
	if got["instance"] != want["__param_target"] || got["service"] != service {
		t.Errorf("%s is shown as %v", job, got)
	}
	maps.DeleteFunc(got, func(k, _ string) bool { _, ok := want[k]; return !ok })
	if !maps.Equal(got, want) {
		t.Errorf("%s asks %v, want %v", job, got, want)
	}
}

// promtool is Prometheus's own check.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := call(t, os.Environ(), append([]string{"promtool"}, args...)...)
	if err != nil {
		t.Fatalf("promtool %q: %v\n%s", args, err, out)
	}
	return out
}

// copied is a directory below /etc/kolla, with files that name each other by the
// path in the container.
func (d *deployment) copied(t *testing.T, name, container string) string {
	t.Helper()
	dir := t.TempDir()
	for file := range strings.FieldsSeq(d.exec("ls", "/etc/kolla/"+name)) {
		write(t, filepath.Join(dir, file), strings.ReplaceAll(d.file("/etc/kolla/"+name+"/"+file), container, dir+"/"))
	}
	return dir
}
