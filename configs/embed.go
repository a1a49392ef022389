// Package configs holds what ibforge knows of the clouds that it deploys
// beside: the ports of Kolla-Ansible's services.
package configs

import _ "embed" // kolla-ports.json

// kollaPorts is written by tests/tools/kolla_ports.py from released
// kolla-ansible packages; tests/kolla compares the two.
//
//go:embed kolla-ports.json
var kollaPorts []byte

// KollaPorts is the table for builder/portmap/kolla, as JSON; see README.md.
func KollaPorts() []byte { return kollaPorts }
