package plan

import (
	"slices"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
	"github.com/ibforge/ibforge/builder/spec"
)

// missing lists the image's own payloads that are not given.
func missing(img *spec.Image) []Missing {
	var out []Missing
	for _, p := range img.Payloads {
		if p.Source == "" {
			out = append(out, Missing{Image: img.Name, Payload: p.Name, Supplier: p.Supplier, Variable: p.Variable, Range: p.DefRange})
		}
	}
	return out
}

// payloads are those that a command sees, in the order in which it lists them.
func payloads(img *spec.Image, r spec.Run) []Payload {
	out := []Payload{}
	for _, name := range r.Payloads {
		i := slices.IndexFunc(img.Payloads, func(p spec.Payload) bool { return p.Name == name })
		p := img.Payloads[i]
		out = append(out, Payload{Name: p.Name, Source: p.Source, SHA256: p.SHA256, Limit: p.Limit, Unpack: p.Unpack, Strip: p.Strip, Range: p.DefRange})
	}
	return out
}

// ports gives the step that prepares moved and guarded ports, if there are any.
func (b *builder) ports(img *spec.Image, c contract.Contract) []Op {
	units := portmap.Units(c.Ports)
	if len(units) == 0 {
		return nil
	}
	m := contract.PortMap{Version: contract.PortMapVersion, Service: img.Name, Ports: c.Ports}
	return []Op{Ports{Helper: b.opts.Helper, Map: m, Units: units, Range: img.Runtime.DefRange}}
}
