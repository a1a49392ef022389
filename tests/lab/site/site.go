// Package site describes a site to the ibforge.fabric roles whose one host is
// this machine, whose engine is the lab's and whose fabric is simulated. The
// demonstration and the end-to-end tests deploy to it.
package site

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ibforge/ibforge/tests/lab"
)

// SMHost is the host of the fabric that the OpenSM container believes to be.
const SMHost = "Hca1"

// Site is the lab as the roles see it.
type Site struct {
	// Dir holds what the site writes.
	Dir string
	// Python is the interpreter for Ansible's modules; it has the docker SDK.
	Python string
	// Engine is nil on a host of its own, which has the engines that it has.
	Engine *lab.Engine
	Fabric *lab.Fabric
}

// ConfigDir is the host's directory that the container sees as /etc/opensm.
func (s Site) ConfigDir() string { return filepath.Join(s.Dir, "etc-opensm") }

// LibraryVolume is the mount by which programs in a container reach ibsim.
func (s Site) LibraryVolume() string {
	return s.Fabric.Library() + ":" + s.Fabric.Library() + ":ro"
}

// Variables are an operator's variables for this site, but for the partitions;
// those of the simulation are documented in roles/ib_opensm/README.md.
func (s Site) Variables() map[string]any {
	env := map[string]string{}
	for _, kv := range s.Fabric.Environ(SMHost) {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return s.reach(map[string]any{
		"ib_opensm_image_source":     "archive",
		"ib_opensm_simulated_fabric": true,
		"ib_opensm_extra_volumes":    []string{s.LibraryVolume()},
		"ib_opensm_environment":      env,
	}, "opensm")
}

// reach adds how Ansible and the roles of these services come to the host.
func (s Site) reach(vars map[string]any, services ...string) map[string]any {
	vars["ibforge_become"] = false
	if s.Engine == nil {
		return vars
	}
	vars["ansible_connection"], vars["ansible_python_interpreter"] = "local", s.Python
	// Several sites of one machine must not sweep away each other's archives.
	vars["ib_service_work_dir"] = s.Dir
	for _, service := range services {
		vars["ib_"+service+"_docker_host"] = s.Engine.Host()
		vars["ib_"+service+"_config_dir"] = filepath.Join(s.Dir, "etc-"+service)
	}
	return vars
}

// WriteInventory writes an inventory with OpenSM on this machine.
func (s Site) WriteInventory(name string, vars map[string]any) error {
	return s.WriteGroups(name, vars, "ib_opensm")
}

// Member is a partition's member in the role's words.
type Member map[string]string

// Partition is a partition in the role's words.
func Partition(name string, pkey int, members ...Member) map[string]any {
	return map[string]any{"name": name, "pkey": fmt.Sprintf("0x%04x", pkey), "members": members}
}

// Everyone makes all ports members of one kind.
func Everyone(membership string) Member { return Member{"port": "ALL", "membership": membership} }

// Full makes the port of a host of the fabric a full member.
func (s Site) Full(ctx context.Context, host string) (Member, error) {
	p, err := s.Fabric.Host(ctx, host)
	if err != nil {
		return nil, err
	}
	return Member{"port": fmt.Sprintf("0x%016x", p.GUID), "membership": "full"}, nil
}

// Tenants are two partitions beside a default partition on which tenants do
// not meet: Hca2 and Hca4 in one, Hca3 in the other.
func (s Site) Tenants(ctx context.Context) ([]map[string]any, error) {
	members := map[string]Member{}
	for _, host := range []string{"Hca2", "Hca3", "Hca4"} {
		m, err := s.Full(ctx, host)
		if err != nil {
			return nil, err
		}
		members[host] = m
	}
	standard := Partition("Default", 0x7fff, Everyone("limited"), Member{"port": "SELF", "membership": "full"})
	standard["ipoib"] = true
	return []map[string]any{
		standard,
		Partition("tenant_a", 0x10, members["Hca2"], members["Hca4"]),
		Partition("tenant_b", 0x20, members["Hca3"]),
	}, nil
}
