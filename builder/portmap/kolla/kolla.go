// Package kolla reads the table of the ports that Kolla-Ansible's services
// bind, and tells which of them a site uses. The table comes from released
// kolla-ansible packages; configs/README.md describes it.
package kolla

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Version is the version of the table's shape.
const Version = 1

// Table is Kolla's ports in several releases, the oldest first.
type Table struct {
	Version  int       `json:"version"`
	Releases []Release `json:"releases"`
}

// Release is one release of OpenStack as Kolla-Ansible deploys it.
type Release struct {
	// Name such as "2025.1".
	Name string `json:"release"`
	// KollaAnsible is the version of the package that the table was made of.
	KollaAnsible string                `json:"kolla_ansible"`
	Variables    map[string]Expression `json:"variables"`
	Entries      []Entry               `json:"ports"`
	// NotBound are variables with names of ports that nothing on a host binds.
	NotBound []string `json:"not_bound"`
}

// Port is one port that a service of Kolla binds.
type Port struct {
	// Variable of Kolla that holds the number; empty where it is fixed.
	Variable string `json:"variable"`
	Number   int    `json:"number"`
	Protocol string `json:"protocol"`
	// Listens says on which address: "internal_vip", "external_vip", "api",
	// another network of Kolla, "loopback" or "any".
	Listens string `json:"listens"`
	Service string `json:"service"`
	// EnabledBy is the variable that turns the service on.
	EnabledBy string `json:"enabled_by"`
	// Default tells whether the service is on where the site says nothing.
	Default bool `json:"default"`
	// Usual tells whether the port is bound where the site says nothing; that
	// may take more than the service.
	Usual bool `json:"-"`
}

// Entry is a Port with its default number, and the condition on which the
// service binds it.
type Entry struct {
	Port
	When Expression `json:"when"`
}

// Parse reads a table. It refuses another version and unknown fields.
func Parse(data []byte) (Table, error) {
	var t Table
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&t); err != nil {
		return Table{}, fmt.Errorf("the table of Kolla's ports: %w", err)
	}
	if t.Version != Version {
		return Table{}, fmt.Errorf("the table of Kolla's ports is of version %d, this ibforge reads version %d", t.Version, Version)
	}
	if len(t.Releases) == 0 {
		return Table{}, errors.New("the table of Kolla's ports has no release")
	}
	return t, nil
}

// Newest is the newest release of the table.
func (t Table) Newest() Release { return t.Releases[len(t.Releases)-1] }

// UnknownReleaseError says that the table does not have a release.
type UnknownReleaseError struct {
	Name string
	// Known are the table's releases.
	Known []string
}

// Error names the releases that there are.
func (e *UnknownReleaseError) Error() string {
	return fmt.Sprintf("the table of Kolla's ports has no release %q; it has %s", e.Name, strings.Join(e.Known, ", "))
}

// Find gives the release of a name such as "2025.1", or an
// [UnknownReleaseError].
func (t Table) Find(name string) (Release, error) {
	var known []string
	for _, r := range t.Releases {
		if r.Name == name {
			return r, nil
		}
		known = append(known, r.Name)
	}
	return Release{}, &UnknownReleaseError{Name: name, Known: known}
}

// All are the ports of all services, with the numbers that they have by
// default: those of a cloud of which nothing is known.
func (r Release) All() []Port {
	var out []Port
	for _, e := range r.Entries {
		out = append(out, r.port(e))
	}
	return out
}

// port is the one of an entry, with its default number.
func (r Release) port(e Entry) Port {
	s := scope{release: r.Variables, faults: new([]error), derived: new([]error)}
	e.Usual = truth(s.value(e.When))
	return e.Port
}

// Used are the ports that a site with these variables uses. The error names
// every variable whose value cannot be used, and its place.
func (r Release) Used(site Globals) ([]Port, error) {
	var faults, derived []error
	s := scope{release: r.Variables, site: site, faults: &faults, derived: &derived}
	var out []Port
	for _, e := range r.Entries {
		if !truth(s.value(e.When)) {
			continue
		}
		p := r.port(e)
		if p.Variable != "" {
			p.Number = s.number(p.Variable, s.variable(p.Variable))
		}
		out = append(out, p)
	}
	if len(faults) == 0 {
		faults = derived
	}
	if len(faults) > 0 {
		return nil, inOrder(faults)
	}
	return out, nil
}

// Unknown are the variables of a site that have the name of a port and are
// none of this release: of another release, misspelt, or the site's own. They
// are sorted, each with its place.
func (r Release) Unknown(site Globals) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(site.values)) {
		if !strings.HasSuffix(name, "_port") || slices.Contains(r.NotBound, name) {
			continue
		}
		if _, ok := r.Variables[name]; ok || strings.HasPrefix(name, "enable_") || r.mentions(name) {
			continue
		}
		set := site.values[name]
		out = append(out, fmt.Sprintf("%s:%d: %s", set.file, set.line, name))
	}
	return out
}

// mentions tells whether an expression has a default for the variable, which
// then is none of the release's own: a deprecated name.
func (r Release) mentions(name string) bool {
	var in func(Expression) bool
	in = func(e Expression) bool {
		return e.variable && e.text == name || slices.ContainsFunc(e.operands, in)
	}
	for _, e := range r.Variables {
		if in(e) {
			return true
		}
	}
	return false
}
