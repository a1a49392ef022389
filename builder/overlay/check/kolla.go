package check

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/suggest"
)

// kollaDir is the directory in each layer from which Kayobe makes Kolla's
// node_custom_config.
const kollaDir = "kolla/config"

// kollaConfig looks at the INI files that Kayobe joins by appending one to the
// other: its own template, that of the root and those of environments. See
// kolla_openstack_custom_config_rules_default in its role kolla-openstack.
func (c *checker) kollaConfig() {
	c.config = map[string][]iniFile{}
	for _, layer := range c.layers {
		dir := path.Join(layer, kollaDir)
		walk(c.o.FS, dir, func(name string) {
			rel := strings.TrimPrefix(name, dir+"/")
			if !concatenated(rel) {
				return
			}
			if text, ok := c.read(c.o.FS, name, name); ok {
				c.config[rel] = append(c.config[rel], parseINI(name, text))
			}
		})
	}
	for _, rel := range sortedKeys(c.config) {
		var before []iniFile
		for _, f := range c.config[rel] {
			c.ini(f)
			for _, option := range f.options {
				if option.section == "" {
					c.errorAt(lineRange(f.file, f.text, option.line, 1, 0), "Option before the first section",
						"Kayobe appends the file to another one, so %s falls into the last section of that. Begin the file with [DEFAULT] or what is meant.", option.key)
				}
			}
			c.twice(f, before)
			before = append(before, f)
		}
		if path.Base(rel) == "ml2_conf.ini" {
			c.ml2(c.config[rel])
			c.kayobeML2(c.config[rel])
		}
	}
}

// concatenated tells which files Kayobe appends and oslo.config reads: its rules
// for *.conf and *.ini, without those that have another format.
func concatenated(rel string) bool {
	base := path.Base(rel)
	ext := path.Ext(base)
	if ext != ".conf" && ext != ".ini" || strings.HasSuffix(base, "paste.ini") || strings.Contains(base, "wsgi") || strings.HasSuffix(base, "httpd.conf") {
		return false
	}
	services := []string{
		"fluentd", "grafana", "grafana.ini", "haproxy", "haproxy-config", "horizon", "keepalived", "mariadb", "opensearch", "prometheus", "rabbitmq", "swift", "telegraf",
	}
	files := []string{
		"collectd.conf", "named.conf", "rndc.conf", "dnsmasq.conf", "corosync.conf", "influxdb.conf", "keepalived.conf", "multipath.conf", "ceph.conf",
	}
	return !slices.Contains(services, strings.Split(rel, "/")[0]) && !slices.Contains(files, base)
}

// ini tells what oslo.config takes in another way than it looks.
func (c *checker) ini(f iniFile) {
	for _, fault := range f.faults {
		c.errorAt(lineRange(f.file, f.text, fault.line, 1, 0), fault.summary, "%s", fault.detail)
	}
}

// multiple tells of options that may be given several times: oslo.config's
// MultiOpt of Neutron, Nova and Ironic.
func multiple(key string) bool {
	return slices.Contains([]string{
		"alias", "device_spec", "passthrough_whitelist", "service_provider", "notification_driver", "driver", "helper_command",
		"extra_config", "monitor", "dhcpbridge_flagfile", "vendor_data_jsonfile_path", "federated_identity_provider", "remote_id_attribute",
		"trusted_dashboard", "inject", "config_file", "cpu_model_extra_flags", "physical_device_mapping",
	}, key)
}

// twice finds options that are given several times in a section, of which
// oslo.config takes the last. In another layer that is what layers are for, and
// a warning.
func (c *checker) twice(f iniFile, before []iniFile) {
	for i, o := range f.options {
		if multiple(o.key) {
			continue
		}
		for _, first := range slices.Backward(f.options[:i]) {
			if first.section == o.section && first.key == o.key && together(first.branch, o.branch) {
				c.errorAt(o.at(f), "Option given twice", "%s of [%s] is in line %d too. oslo.config takes the last one, %q, and %q is lost. Leave one line.", o.key, o.section, first.line, o.value, first.value)
				break
			}
		}
		for _, other := range slices.Backward(before) {
			at := slices.IndexFunc(other.options, func(p iniOption) bool { return p.section == o.section && p.key == o.key && p.value != o.value })
			if at >= 0 {
				c.warnAt(o.at(f), "Option given twice", "%s of [%s] is in %s too, line %d. Kayobe appends this file to that one and oslo.config takes the last, so here %q wins, and %q is lost.",
					o.key, o.section, other.file, other.options[at].line, o.value, other.options[at].value)
				break
			}
		}
	}
}

func (o iniOption) at(f iniFile) *hcl.Range { return lineRange(f.file, f.text, o.line, o.column, 0) }

// copied finds files below kolla/config that Kayobe does not copy, and those
// that Kolla-Ansible does not look at.
func (c *checker) copied() {
	extra := regexp.MustCompile(`[\w.-]+`)
	known := kollaServices()
	if s := c.setting("kolla_openstack_custom_config_include_globs"); s != nil {
		return // the operator's own list
	}
	if s := c.setting("kolla_openstack_custom_config_include_globs_extra"); s != nil {
		for _, item := range s.value.Content {
			for i := 0; i+1 < len(item.Content); i += 2 {
				if item.Content[i].Value == "glob" {
					known = append(known, extra.FindString(item.Content[i+1].Value))
				}
			}
		}
		if len(s.value.Content) == 0 && s.value.Value != "" {
			return // made by Jinja
		}
	}
	for _, layer := range c.layers {
		dir := path.Join(layer, kollaDir)
		for _, name := range names(c.o.FS, dir) {
			service, _, _ := strings.Cut(name, ".")
			if !slices.Contains(known, service) && !slices.Contains(known, name) && name[0] != '.' {
				c.warnAt(nil, "File that Kayobe does not copy", "%s/%s matches nothing in kolla_openstack_custom_config_include_globs.%s Name it in kolla_openstack_custom_config_include_globs_extra, if a service of yours reads it.",
					dir, name, suggest.DidYouMean(service, known))
			}
		}
		c.looked(dir)
	}
}

// looked are directories of which Kolla-Ansible takes files with one ending:
// its roles loadbalancer, prometheus and common.
func (c *checker) looked(dir string) {
	for _, place := range []struct{ dir, ext string }{
		{"haproxy/services.d", ".cfg"},
		{"prometheus/prometheus.yml.d", ".yml"},
		{"fluentd/input", ".conf"},
		{"fluentd/filter", ".conf"},
		{"fluentd/format", ".conf"},
		{"fluentd/output", ".conf"},
	} {
		for _, name := range names(c.o.FS, path.Join(dir, place.dir)) {
			if info, err := fs.Stat(c.o.FS, path.Join(dir, place.dir, name)); err == nil && !info.IsDir() && path.Ext(name) != place.ext && name[0] != '.' {
				c.errorAt(nil, "File that Kolla does not read", "%s/%s/%s: Kolla-Ansible takes files that end in %s from there. Rename it.", dir, place.dir, name, place.ext)
			}
		}
	}
}

// kollaServices are the first words of what Kayobe copies: the default of
// kolla_openstack_custom_config_include_globs, of all supported releases.
func kollaServices() []string {
	return []string{
		"aodh", "backup", "barbican", "barbican-api", "blazar", "ceilometer", "cinder", "cloudkitty", "cyborg", "designate", "fluentd", "galera", "glance",
		"global", "gnocchi", "grafana", "haproxy", "haproxy-config", "heat", "horizon", "influx", "influxdb", "ironic", "ironic-inspector", "keepalived",
		"keystone", "kolla-toolbox", "magnum", "manila", "mariadb", "masakari", "multipath", "murano", "neutron", "nfs_shares", "nova", "nova_compute",
		"octavia", "opensearch", "placement", "prometheus", "proxysql", "rabbitmq", "sahara", "senlin", "skyline", "solum", "swift", "tacker", "telegraf",
		"trove", "valkey", "watcher", "zun",
	}
}
