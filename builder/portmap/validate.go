package portmap

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/ibforge/ibforge/builder/contract"
)

const highestPort = 65535

// Validate tells all that is wrong with the ports of a map, one line for each
// fault. A description is held to the same rules when it is read; a map that a
// site mounts over the image's has nobody else to judge it.
func Validate(ports []contract.Port) error {
	var faults []error
	for i, p := range ports {
		for _, text := range slices.Concat(portFaults(p), crossFaults(p, ports[:i], ports)) {
			faults = append(faults, fmt.Errorf("port %q: %s", p.Name, text))
		}
	}
	return errors.Join(faults...)
}

func portFaults(p contract.Port) (out []string) {
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(p.Name == "", "has no name: give it one")
	add(p.Protocol != "tcp" && p.Protocol != "udp", `protocol %q is not known: it must be "tcp" or "udp"`, p.Protocol)
	add(p.Address != "any" && p.Address != "loopback", `address %q is not known: it must be "any" or "loopback"`, p.Address)
	add(p.Listens < 1 || p.Listens > highestPort, "listens is %d: it must be 1 to %d", p.Listens, highestPort)
	add(p.Host < 1 || p.Host > highestPort, "host is %d: it must be 1 to %d", p.Host, highestPort)
	add(p.Unit == "" && (p.Via != contract.ViaNone || p.Guarded), "has no unit: name the service before whose start it is moved or looked after")
	switch p.Via {
	case contract.ViaNone:
		add(p.Host != p.Listens, `host is %d and listens is %d, but via is "none": give both the same number, or move it by "config" or "socket"`, p.Host, p.Listens)
	case contract.ViaConfig:
		add(len(p.Rewrites) == 0, `has no rewrites, but via is "config": add one`)
	case contract.ViaSocket:
	default:
		add(true, `via %q is not known: it must be "none", "config" or "socket"`, p.Via)
	}
	add(p.Via != contract.ViaConfig && len(p.Rewrites) > 0, `has rewrites, but via is %q: remove them, or give it "config"`, p.Via)
	for _, r := range p.Rewrites {
		add(!path.IsAbs(r.Path) || path.Clean(r.Path) != r.Path || r.Path == "/", `path %q: it must be absolute, of a file, and without "." and ".."`, r.Path)
		if _, err := CompileRewrite(p, r); err != nil {
			out = append(out, fmt.Sprintf("path %q: %v", r.Path, err))
		}
	}
	return out
}

// crossFaults are those between a port and the others of its map.
func crossFaults(p contract.Port, before, all []contract.Port) (out []string) {
	for _, other := range before {
		if p.Name == other.Name {
			out = append(out, "stands in the map twice: rename one")
		}
		if p.Protocol != other.Protocol {
			continue
		}
		if p.Listens == other.Listens {
			out = append(out, fmt.Sprintf("listens on %d/%s as port %q does: merge the two", p.Listens, p.Protocol, other.Name))
		}
		if p.Host == other.Host {
			out = append(out, fmt.Sprintf("lands on %d/%s of the host as port %q does: give one another number", p.Host, p.Protocol, other.Name))
		}
	}
	for _, other := range all {
		// Nobody could tell afterwards which of the two a number in a file means.
		if p.Host == other.Listens && p.Protocol == other.Protocol && p.Listens != other.Listens && p.Host != other.Host {
			out = append(out, fmt.Sprintf("lands on %d/%s, which port %q binds before it is moved: give it another number", p.Host, p.Protocol, other.Name))
		}
	}
	return out
}
