package check

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/suggest"
)

const sdnDriver = "mlnx_sdn_assist"

// ml2 are Neutron's options in [ml2]: neutron/conf/plugins/ml2/config.py.
func ml2Options() []string {
	return []string{
		"mechanism_drivers", "type_drivers", "tenant_network_types", "extension_drivers", "path_mtu", "physical_network_mtus",
		"external_network_type", "overlay_ip_version", "tunnelled_network_rp_name",
	}
}

// sdnOptions are those of networking-mlnx in [sdn], of the generation for NEO
// and of that for UFM: networking_mlnx/plugins/ml2/drivers/sdn/config.py.
func sdnOptions() []string {
	return []string{
		"url", "domain", "username", "password", "token", "timeout", "sync_enabled", "sync_timeout", "retry_count", "maintenance_interval",
		"completed_rows_retention", "processing_timeout", "physical_networks", "bind_normal_ports", "bind_normal_ports_physnets",
		"cert_verify", "cert_path",
	}
}

// last is the option that oslo.config takes of several files in their order.
func last(files []iniFile, section, key string) (iniOption, iniFile, bool) {
	for _, f := range slices.Backward(files) {
		for _, o := range slices.Backward(f.options) {
			if o.section == section && o.key == key {
				return o, f, true
			}
		}
	}
	return iniOption{}, iniFile{}, false
}

// ml2 looks at the files that become one ml2_conf.ini.
func (c *checker) ml2(files []iniFile) {
	for _, f := range files {
		for _, name := range sortedKeys(f.sections) {
			for _, right := range []string{"ml2", "sdn", "DEFAULT"} {
				if name != right && strings.EqualFold(name, right) {
					c.errorAt(lineRange(f.file, f.text, f.sections[name], 1, 0), "Section that nobody reads", "oslo.config tells capital letters apart: write [%s].", right)
				}
			}
		}
		for _, o := range f.options {
			c.ml2Option(f, o)
		}
	}
	drivers, f, ok := last(files, "ml2", "mechanism_drivers")
	_, hasSDN := sdnSection(files)
	if !ok || jinja(drivers.value) {
		return
	}
	list := split(drivers.value)
	at := slices.Index(list, sdnDriver)
	switch {
	case at > 0:
		c.errorAt(drivers.at(f), "Driver that comes too late", "%s has to be the first of mechanism_drivers: Neutron asks them in their order, and one before it may bind the port. It is number %d of %s.", sdnDriver, at+1, drivers.value)
	case at < 0 && hasSDN:
		c.errorAt(drivers.at(f), "Section that nobody reads", "There is a section [sdn], and mechanism_drivers is %s, without %s, which reads it. Add that as the first.", drivers.value, sdnDriver)
	case at == 0 && !hasSDN:
		c.warnAt(drivers.at(f), "Driver without a configuration", "%s has no section [sdn], so it has no controller to tell of networks.", sdnDriver)
	}
}

func sdnSection(files []iniFile) (iniFile, bool) {
	for _, f := range files {
		if _, ok := f.sections["sdn"]; ok {
			return f, true
		}
	}
	return iniFile{}, false
}

// ml2Option looks at one option of ml2_conf.ini.
func (c *checker) ml2Option(f iniFile, o iniOption) {
	own := map[string][]string{"ml2": ml2Options(), "sdn": sdnOptions()}
	known, ours := own[o.section]
	if ours && !slices.Contains(known, o.key) && !jinja(o.key) {
		near := strings.ToLower(o.key)
		hint := suggest.DidYouMean(o.key, known)
		if slices.Contains(known, near) {
			hint = " oslo.config tells capital letters apart: write " + near + "."
		}
		c.errorAt(o.at(f), "Option that nobody reads", "[%s] has no option %q.%s", o.section, o.key, hint)
	}
	if ours && regexp.MustCompile(`\s[#;]`).MatchString(o.value) && !jinja(o.value) {
		c.errorAt(o.at(f), "Comment in a value", "oslo.config takes %q as the value of %s: a comment needs a line of its own.", o.value, o.key)
	}
	for _, section := range slices.Sorted(maps.Keys(own)) {
		if ours || section == "sdn" && !slices.Contains([]string{"sync_enabled", "bind_normal_ports", "cert_verify", "cert_path", "maintenance_interval"}, o.key) {
			continue
		}
		if (o.section == "DEFAULT" || strings.EqualFold(o.section, section)) && slices.Contains(own[section], o.key) {
			c.errorAt(o.at(f), "Option in a section where nobody reads it", "%s is in [%s]; it belongs into [%s].", o.key, o.section, section)
		}
	}
}

func split(list string) []string {
	var out []string
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '\n' }) {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// kayobeML2 finds options that Kayobe writes before ours: its template
// kolla/config/neutron/ml2_conf.ini. Both lines reach the final file.
func (c *checker) kayobeML2(files []iniFile) {
	for _, pair := range []struct{ variable, section, key string }{
		{"kolla_neutron_ml2_mechanism_drivers", "ml2", "mechanism_drivers"},
		{"kolla_neutron_ml2_extension_drivers", "ml2", "extension_drivers"},
		{"kolla_neutron_ml2_network_vlan_ranges", "ml2_type_vlan", "network_vlan_ranges"},
	} {
		s := c.setting(pair.variable)
		o, f, ok := last(files, pair.section, pair.key)
		// What stands in a block of Jinja may be there for the other case only.
		if s == nil || !ok || o.branch != "" || s.value.Tag == "!!null" || s.value.Kind == yaml.SequenceNode && len(s.value.Content) == 0 {
			continue
		}
		var items []string
		for _, item := range s.value.Content {
			items = append(items, item.Value)
		}
		theirs, merged := strings.Join(items, ","), slices.Clone(split(o.value))
		for _, item := range items {
			if !slices.Contains(merged, item) && item != "" {
				merged = append(merged, item)
			}
		}
		cure := "Leave one of them"
		if pair.section == "ml2" && theirs != "" {
			cure = "Write " + pair.key + " = " + strings.Join(merged, ",") + " into the file, and take the variable away"
		}
		c.errorAt(s.at(), "Option given twice", "%s becomes %s = %s of [%s], and %s:%d has %s = %s. Both lines reach Neutron, which takes the last, that of the file: yours is lost. %s.",
			pair.variable, pair.key, theirs, pair.section, f.file, o.line, pair.key, o.value, cure)
	}
	if s := c.setting("kolla_extra_neutron_ml2"); s != nil && !jinja(s.value.Value) {
		for _, o := range parseINI("", s.value.Value).options {
			if mine, f, ok := last(files, o.section, o.key); ok && mine.branch == "" && !multiple(o.key) {
				c.errorAt(s.at(), "Option given twice", "kolla_extra_neutron_ml2 has %s of [%s], and %s:%d has it too. Neutron takes the last, that of the file, %q; %q is lost. Leave one of them.", o.key, o.section, f.file, mine.line, mine.value, o.value)
			}
		}
	}
}

// rendered looks at what Neutron reads in the end: files ml2_conf.ini of
// Kolla's node_custom_config, or of /etc/kolla on a host.
func (c *checker) rendered() {
	if c.o.Rendered == nil {
		return
	}
	var found []iniFile
	walk(c.o.Rendered, ".", func(name string) {
		if path.Base(name) != "ml2_conf.ini" {
			return
		}
		shown := "rendered/" + name
		if text, ok := c.read(c.o.Rendered, name, shown); ok {
			found = append(found, parseINI(shown, text))
		}
	})
	if len(found) == 0 {
		c.notes = append(c.notes, "there is no ml2_conf.ini in what was rendered; kayobe overcloud service configuration generate makes it")
	}
	for _, f := range found {
		c.ini(f)
		c.twice(f, nil)
		c.ml2([]iniFile{f})
		c.arrived(f)
	}
}

// arrived finds literal values of ours that are not in a rendered file.
func (c *checker) arrived(f iniFile) {
	ours := c.config["neutron/ml2_conf.ini"]
	for _, section := range []string{"ml2", "sdn"} {
		seen := map[string]bool{}
		for _, file := range slices.Backward(ours) {
			for _, o := range slices.Backward(file.options) {
				if o.section != section || seen[o.key] || jinja(o.value) || o.branch != "" {
					continue
				}
				seen[o.key] = true
				got, _, ok := last([]iniFile{f}, section, o.key)
				switch {
				case !ok:
					c.errorAt(o.at(file), "Option that does not arrive", "%s of [%s] is not in %s. Was it rendered before this line was written?", o.key, section, f.file)
				case got.value != o.value:
					c.errorAt(got.at(f), "Option that does not arrive", "%s of [%s] is %q, and %s:%d has %q.", o.key, section, got.value, file.file, o.line, o.value)
				}
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
