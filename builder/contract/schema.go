package contract

import (
	"bytes"
	_ "embed" // schema.json
	"encoding/json"
	"errors"
	"fmt"
)

// schema is written by TestSchema from the types of this package, because
// their comments, which become descriptions, exist in source form only.
//
//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of a Contract of this [Version],
// for editors and for readers that are not written in Go.
func Schema() string { return schema }

// VersionError says that a contract is of a version that this build cannot read.
type VersionError struct {
	// Got is the version that the contract names, Known the one that this build reads.
	Got, Known int
}

// Error names both versions and the cure.
func (e *VersionError) Error() string {
	if e.Got > e.Known {
		return fmt.Sprintf("the Runtime contract is of version %d, this ibforge reads version %d: use a newer ibforge", e.Got, e.Known)
	}
	return fmt.Sprintf("the Runtime contract is of version %d, this ibforge reads version %d: build the image again with this ibforge", e.Got, e.Known)
}

// MarshalCompact gives the contract as JSON on one line, without a line end and
// with empty lists instead of null. Equal contracts give equal bytes, so the
// label does not change from build to build.
func (c Contract) MarshalCompact() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	// The label is read by people in `docker inspect`, not by browsers.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c.withLists()); err != nil {
		return nil, fmt.Errorf("writing the Runtime contract of image %q: %w", c.Image, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Parse reads one contract, such as the value of the label [Label]. It refuses
// another version with a [VersionError], unknown fields, and anything after the
// object. Lists that are null or missing come back empty, never nil. A contract
// without "no_new_privileges", as ibforge wrote it before it had the field, is
// refused: it would read as leave to gain privileges that nobody gave.
func Parse(data []byte) (Contract, error) {
	// The version is read first and alone: a newer contract has fields that are
	// unknown here, and "unknown field" would hide the true cause.
	var head struct {
		Version         *int  `json:"version"`
		NoNewPrivileges *bool `json:"no_new_privileges"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Contract{}, fmt.Errorf("the Runtime contract is not one JSON object: %w", err)
	}
	if head.Version == nil {
		return Contract{}, errors.New(`the Runtime contract has no field "version": the text is something else, or was cut`)
	}
	if *head.Version != Version {
		return Contract{}, &VersionError{Got: *head.Version, Known: Version}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var c Contract
	if err := dec.Decode(&c); err != nil {
		return Contract{}, fmt.Errorf("reading the Runtime contract, version %d: %w", Version, err)
	}
	if head.NoNewPrivileges == nil {
		return Contract{}, errors.New(`the Runtime contract has no field "no_new_privileges": an older ibforge wrote it, build the image again with this ibforge`)
	}
	return c.withLists(), nil
}

// MarshalIndented gives the port map as a file for people and programs: two
// spaces, a line end, empty lists instead of null.
func (m PortMap) MarshalIndented() ([]byte, error) {
	m.Ports = withRewrites(m.Ports)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("writing the port map of %q: %w", m.Service, err)
	}
	return b.Bytes(), nil
}

// ParsePortMap reads one port map. It refuses another version, unknown fields
// and anything after the object.
func ParsePortMap(data []byte) (PortMap, error) {
	var m PortMap
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return PortMap{}, fmt.Errorf("the port map is not one JSON object as this ibforge writes it: %w", err)
	}
	if dec.More() {
		return PortMap{}, errors.New("the port map holds more than one JSON object")
	}
	if m.Version != PortMapVersion {
		return PortMap{}, fmt.Errorf("the port map is of version %d, this program reads version %d: use the program of the same release of ibforge", m.Version, PortMapVersion)
	}
	m.Ports = withRewrites(m.Ports)
	return m, nil
}

// withLists gives a copy in which no list is nil, so that JSON has [] for it:
// Jinja's loops fail on null.
func (c Contract) withLists() Contract {
	c.CgroupVersions = list(c.CgroupVersions)
	c.Ports = withRewrites(c.Ports)
	c.Volumes = list(c.Volumes)
	c.Tmpfs = list(c.Tmpfs)
	c.Devices = list(c.Devices)
	c.Capabilities = list(c.Capabilities)
	c.Modules = list(c.Modules)
	c.Excludes = list(c.Excludes)
	c.Units = list(c.Units)
	if c.Health != nil && c.Health.Command == nil {
		h := *c.Health
		h.Command = []string{}
		c.Health = &h
	}
	return c
}

func withRewrites(ports []Port) []Port {
	out := append([]Port{}, ports...)
	for i := range out {
		out[i].Rewrites = list(out[i].Rewrites)
	}
	return out
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
