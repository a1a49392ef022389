package check

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"go.yaml.in/yaml/v3"
)

// group is one of the inventory, of all its files together.
type group struct {
	hosts, children map[string]bool
	at              *hcl.Range
}

// inventory is what can be told of it without running anything.
type inventory struct {
	groups map[string]*group
	// sure is false where a file is a program or has another format.
	sure bool
}

// inventory reads the INI files directly in inventory/ of all layers.
func (c *checker) inventory() inventory {
	inv := inventory{groups: map[string]*group{}, sure: true}
	for _, layer := range c.layers {
		dir := path.Join(layer, "inventory")
		for _, name := range names(c.o.FS, dir) {
			file := path.Join(dir, name)
			info, err := fs.Stat(c.o.FS, file)
			// ansible/inventory/manager.py leaves these out.
			if err != nil || info.IsDir() || name[0] == '.' || slices.Contains([]string{".orig", ".bak", ".ini", ".cfg", ".retry", ".pyc", ".example", ".md"}, path.Ext(name)) {
				continue
			}
			text, ok := c.read(c.o.FS, file, file)
			if !ok || info.Mode()&0o111 != 0 || slices.Contains([]string{".yml", ".yaml", ".json", ".py"}, path.Ext(name)) {
				inv.sure = false
				continue
			}
			inv.read(file, text)
		}
	}
	return inv
}

func (inv inventory) get(name string) *group {
	if inv.groups[name] == nil {
		inv.groups[name] = &group{hosts: map[string]bool{}, children: map[string]bool{}}
	}
	return inv.groups[name]
}

func (inv inventory) read(file, text string) {
	name, kind := "", ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			head, _, _ := strings.Cut(line, "]")
			name, kind, _ = strings.Cut(head[1:], ":")
			if g := inv.get(name); g.at == nil {
				g.at = lineRange(file, text, i+1, 1, 0)
			}
		case name == "" || kind == "vars":
		case kind == "children":
			inv.get(name).children[strings.Fields(line)[0]] = true
		default:
			inv.get(name).hosts[strings.Fields(line)[0]] = true
		}
	}
}

// hosts of a group and of all below it. Ranges such as ctl[0:2] are one name.
func (inv inventory) hosts(name string) map[string]bool {
	out, done := map[string]bool{}, map[string]bool{}
	for todo := []string{name}; len(todo) > 0; todo = todo[1:] {
		g := inv.groups[todo[0]]
		if g == nil || done[todo[0]] {
			continue
		}
		done[todo[0]] = true
		for h := range g.hosts {
			out[h] = true
		}
		for child := range g.children {
			todo = append(todo, child)
		}
	}
	return out
}

func services() []string { return []string{"ib-opensm", "ib-ufm", "ib-neo"} }

// groups looks at the groups of the fabric services.
func (c *checker) groups(inv inventory) {
	if !slices.ContainsFunc(services(), func(name string) bool { return inv.groups[name] != nil }) {
		return // nothing is installed
	}
	c.fewSubnetManagers(inv)
	for _, name := range services() {
		g := inv.groups[name]
		if g == nil {
			continue
		}
		alias := strings.ReplaceAll(name, "-", "_")
		if a := inv.groups[alias]; a == nil || !a.children[name] {
			c.errorAt(g.at, "Group that no playbook reads", "The playbooks read the group %s, and %s is no child of it. Add a section [%s:children] with %s.", alias, name, alias, name)
		}
		if !inv.sure {
			continue
		}
		for _, need := range []string{"overcloud", "container-engine"} {
			if inv.groups[need] == nil {
				continue
			}
			if out := outside(inv.hosts(name), inv.hosts(need)); out != "" {
				c.errorAt(g.at, "Host that Kayobe leaves out", "%s is in %s and not in %s, so that kayobe overcloud commands do not reach it or give it no container engine. Put it into a group in there.", out, name, need)
			}
		}
	}
	c.groupMap(inv)
	c.kollaInventory()
}

func (c *checker) fewSubnetManagers(inv inventory) {
	opensm, ufm := inv.hosts("ib-opensm"), inv.hosts("ib-ufm")
	for _, host := range sortedKeys(opensm) {
		if ufm[host] {
			c.errorAt(inv.groups["ib-opensm"].at, "Two subnet managers", "%s is in ib-opensm and in ib-ufm, and UFM has a subnet manager of its own. Take it out of one of them.", host)
		}
	}
	anyHost := false
	for _, g := range inv.groups {
		anyHost = anyHost || len(g.hosts) > 0
	}
	if !inv.sure || !anyHost || len(opensm)+len(ufm) > 0 {
		return
	}
	g := inv.groups["ib-opensm"]
	if g == nil {
		g = inv.groups["ib-ufm"]
	}
	var subject *hcl.Range
	if g != nil {
		subject = g.at
	}
	c.errorAt(subject, "Group without hosts", "Neither ib-opensm nor ib-ufm has a host, so that every playbook does nothing and says it is fine. Give one of them children or hosts.")
}

// groupMap looks whether Kolla's inventory has our hosts: Kayobe makes it out of
// the groups that this variable names.
func (c *checker) groupMap(inv inventory) {
	const name = "kolla_overcloud_inventory_top_level_group_map"
	s := c.setting(name)
	if s == nil || s.value.Kind != yaml.MappingNode {
		return
	}
	mapped := map[string]bool{}
	control := false
	for i := 0; i+1 < len(s.value.Content); i += 2 {
		control = control || s.value.Content[i].Value == "control"
		body := s.value.Content[i+1]
		for j := 0; j+1 < len(body.Content); j += 2 {
			if body.Content[j].Value != "groups" {
				continue
			}
			if body.Content[j+1].Kind != yaml.SequenceNode {
				return // made by Jinja
			}
			for _, g := range body.Content[j+1].Content {
				for host := range inv.hosts(g.Value) {
					mapped[host] = true
				}
			}
		}
	}
	if !control {
		c.errorAt(s.at(), "Group that Kolla does not have", "%s has no control, and kolla/inventory/ibforge makes the services' groups children of that. Add it, or name your groups there.", name)
	}
	for _, service := range services() {
		if out := outside(inv.hosts(service), mapped); inv.sure && out != "" {
			c.errorAt(s.at(), "Host that Kolla does not know", "%s is in %s, and in no group of %s, so that Kolla's HAProxy and Prometheus leave it out. Add %s to a group there.", out, service, name, service)
		}
	}
}

// outside names the hosts that are not among others, empty for none.
func outside(hosts, others map[string]bool) string {
	var out []string
	for _, host := range sortedKeys(hosts) {
		if !others[host] {
			out = append(out, host)
		}
	}
	if len(out) > 5 { // enough to know them by
		out = append(out[:5], fmt.Sprintf("and %d more", len(out)-5))
	}
	return strings.Join(out, ", ")
}

// kollaInventory finds Kayobe's names of groups where Kolla's belong.
func (c *checker) kollaInventory() {
	kolla := map[string]string{"controllers": "control", "overcloud": "", "seed": "", "infra-vms": "", "container-engine": ""}
	for _, layer := range c.layers {
		dir := path.Join(layer, "kolla/inventory")
		for _, name := range names(c.o.FS, dir) {
			file := path.Join(dir, name)
			if info, err := fs.Stat(c.o.FS, file); err != nil || !info.Mode().IsRegular() || path.Ext(name) != "" {
				continue
			}
			text, ok := c.read(c.o.FS, file, file)
			if !ok {
				continue
			}
			defined := inventory{groups: map[string]*group{}}
			defined.read(file, text)
			for i, line := range strings.Split(text, "\n") {
				word := strings.TrimSpace(line)
				right, wrong := kolla[word]
				if !wrong || defined.groups[word] != nil {
					continue
				}
				cure := ""
				if right != "" {
					cure = " Write " + right + "."
				}
				c.errorAt(lineRange(file, text, i+1, 1, 0), "Group that Kolla does not have", "%s is a group of Kayobe; Ansible then leaves out this whole file with a warning.%s", word, cure)
			}
		}
	}
}
