package overlay

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/suggest"
)

// Environments is the directory of Kayobe's environments.
const Environments = "environments"

// known are files that only a Kayobe configuration has at its top: the ones of
// etc_examples of Kayobe that every release has had.
func known() []string {
	return []string{
		"bifrost.yml", "controllers.yml", "dns.yml", "docker.yml", "container-engine.yml", "inspector.yml", "ipa.yml", "ironic.yml",
		"kolla.yml", "networks.yml", "openstack.yml", "overcloud.yml", "seed.yml", "seed-hypervisor.yml", "kolla/globals.yml",
	}
}

// Recognise finds out whether a directory is a Kayobe configuration. name is
// how the user calls it. Kayobe itself asks for no more than inventory/.
func Recognise(fsys fs.FS, name string) error {
	var has []string
	for _, file := range known() {
		if info, err := fs.Stat(fsys, file); err == nil && info.Mode().IsRegular() {
			has = append(has, file)
		}
	}
	dir := func(name string) bool {
		info, err := fs.Stat(fsys, name)
		return err == nil && info.IsDir()
	}
	inPlace := strings.HasSuffix(path.Clean(name), "etc/kayobe")
	switch {
	case strings.Contains(path.Clean("/"+name)+"/", "/"+Environments+"/"+path.Base(name)+"/"):
		return fmt.Errorf("%s is an environment of a Kayobe configuration; give --config-path the directory above %s, and --environment %s", name, Environments, path.Base(name))
	case len(has) > 0 && (dir("inventory") || dir(Environments)), inPlace && dir("inventory"):
		return nil
	case len(has) > 0 || inPlace:
		return fmt.Errorf("%s is no Kayobe configuration: it has neither inventory/ nor %s/; make the one that Kayobe is to read", name, Environments)
	}
	return fmt.Errorf("%s is no Kayobe configuration: it has none of %s; give the directory that KAYOBE_CONFIG_PATH names, which is etc/kayobe of the repository as a rule",
		name, strings.Join(known(), ", "))
}

// FindConfiguration is the directory within fsys that is a Kayobe
// configuration: fsys itself, or etc/kayobe below it.
func FindConfiguration(fsys fs.FS, name string) (string, error) {
	err := Recognise(fsys, name)
	if err == nil {
		return ".", nil
	}
	if sub, subErr := fs.Sub(fsys, "etc/kayobe"); subErr == nil && Recognise(sub, path.Join(name, "etc/kayobe")) == nil {
		return "etc/kayobe", nil
	}
	return "", err
}

// environments are the names of the environments.
func environments(d Disk) ([]string, error) {
	entries, err := fs.ReadDir(d.FS(), Environments)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if info, err := fs.Stat(d.FS(), path.Join(Environments, e.Name())); err == nil && info.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// environment tells what is wrong with the name of one; empty is none.
func environment(d Disk, name string) error {
	all, err := environments(d)
	switch {
	case name == "" || slices.Contains(all, name):
		return nil
	case err != nil:
		return err
	case len(all) == 0:
		return fmt.Errorf("there is no environment %q; this configuration has none, so leave --environment out", name)
	}
	return fmt.Errorf("there is no environment %q; there are %s.%s", name, strings.Join(all, ", "), suggest.DidYouMean(name, all))
}

// opensmEnabled finds Kayobe's own OpenSM turned on. Two subnet managers on one
// fabric undo each other's work.
func opensmEnabled(d Disk, layers []string) []error {
	var faults []error
	for _, layer := range layers {
		for _, file := range variableFiles(d, layer) {
			key, value := variable(d, file, "opensm_enabled")
			if key != nil && Truthy(value.Value) {
				faults = append(faults, fmt.Errorf("%s:%d: opensm_enabled is %s, and then Kayobe runs an OpenSM of its own; two subnet managers on one fabric undo each other's work: set it to false",
					file, key.Line, value.Value))
			}
		}
	}
	return faults
}

// Truthy is Ansible's filter bool.
func Truthy(value string) bool {
	return slices.Contains([]string{"true", "yes", "on", "1", "y", "t"}, strings.ToLower(value))
}

// variableFiles are those that Kayobe gives to Ansible as extra variables:
// kayobe/ansible.py, _get_vars_files.
func variableFiles(d Disk, layer string) []string {
	dir := layer
	if dir == "" {
		dir = "."
	}
	entries, err := fs.ReadDir(d.FS(), dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if slices.Contains([]string{".yml", ".yaml", ".json"}, path.Ext(e.Name())) && !e.IsDir() {
			out = append(out, path.Join(layer, e.Name()))
		}
	}
	return out
}

// variable is a key of a file's top level and its value; nil where there is
// none, or the file is none that can be read, such as one of ansible-vault.
func variable(d Disk, file, name string) (key, value *yaml.Node) {
	raw, err := d.ReadFile(file)
	if err != nil || !strings.Contains(string(raw), name) {
		return nil, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, nil
	}
	m := doc.Content[0].Content
	for i := 0; i+1 < len(m); i += 2 {
		if m[i].Value == name {
			key, value = m[i], m[i+1]
		}
	}
	return key, value
}
