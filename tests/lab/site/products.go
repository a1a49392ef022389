package site

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/standins"
)

// AdminPassword is what the administrator of a stand-in gets. The products take
// letters, digits and "_".
const AdminPassword = "standin_only_2026"

// Payloads packs the stand-ins of UFM's and NEO's installers into dir, and gives
// the flags of ibforge build by which the images are made of them. standins is
// the directory tests/standins.
func Payloads(standinsDir, dir string) ([]string, error) {
	var flags []string
	for name, tree := range map[string]string{"ufm": "ufm/ufm-6.23.1-6.standin", "neo": "neo/neo"} {
		tgz, sum, err := standins.Archive(filepath.Join(standinsDir, tree))
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, name+"-standin.tgz")
		if err := os.WriteFile(file, tgz, 0o600); err != nil {
			return nil, fmt.Errorf("packing the stand-in of %s: %w", name, err)
		}
		flags = append(flags, "--var", name+"_installer="+file, "--var", name+"_installer_sha256="+sum)
	}
	return flags, nil
}

// ProductVariables are an operator's variables for UFM and NEO on this site. It
// writes a licence and what brings the simulator to UFM's subnet manager.
func (s Site) ProductVariables() (map[string]any, error) {
	licence := filepath.Join(s.Dir, "standin.lic")
	dropIn := filepath.Join(s.Dir, "simulator.conf")
	text := "[Service]\n"
	for _, kv := range s.Fabric.Environ(SMHost) {
		text += fmt.Sprintf("Environment=%q\n", kv)
	}
	for name, content := range map[string]string{licence: "not a licence, for the stand-in\n", dropIn: text} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return nil, fmt.Errorf("writing the site: %w", err)
		}
	}
	return s.reach(map[string]any{
		"ib_ufm_image_source":     "archive",
		"ib_ufm_simulated_fabric": true,
		// It must be up and have an address; the simulator has none of its own.
		"ib_ufm_fabric_interface": "lo",
		"ib_ufm_licenses":         []string{licence},
		"ib_ufm_admin_password":   AdminPassword,
		"ib_ufm_extra_volumes":    s.ufmVolumes(dropIn),
		"ib_neo_image_source":     "archive",
		"ib_neo_admin_password":   AdminPassword,
	}, "ufm", "neo"), nil
}

// OnHost are an operator's variables for all services on a host of the lab, on
// whose network the site's fabric is.
func (s Site) OnHost(h *lab.Host) (map[string]any, error) {
	vars := s.Variables()
	products, err := s.ProductVariables()
	if err != nil {
		return nil, err
	}
	maps.Copy(vars, products)
	maps.Copy(vars, h.Variables())
	// What the simulator needs of files lies where the host sees it.
	const dropIn = "/srv/simulator.conf"
	if err := h.Put(filepath.Join(s.Dir, "simulator.conf"), dropIn); err != nil {
		return nil, err
	}
	vars["ib_ufm_extra_volumes"] = s.ufmVolumes(dropIn)
	vars["ib_service_system_container"] = true // the lab's host has namespaces of its own
	return vars, nil
}

// ufmVolumes bring the simulator to UFM's subnet manager.
func (s Site) ufmVolumes(dropIn string) []string {
	return []string{s.LibraryVolume(), dropIn + ":/etc/systemd/system/ufm-enterprise.service.d/90-simulator.conf:ro"}
}

// WriteGroups writes an inventory in which this machine is in these groups.
func (s Site) WriteGroups(name string, vars map[string]any, groups ...string) error {
	inventory := map[string]any{"all": map[string]any{"vars": vars}}
	for _, g := range groups {
		inventory[g] = map[string]any{"hosts": map[string]any{"localhost": nil}}
	}
	raw, err := yaml.Marshal(inventory)
	if err != nil {
		return fmt.Errorf("writing %s as YAML: %w", name, err)
	}
	return os.WriteFile(name, raw, 0o600)
}
