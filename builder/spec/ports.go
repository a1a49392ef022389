package spec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// ports decodes the port blocks. Two services cannot share one number of the
// host, because they share its network.
func (d *imageDecoder) ports(bodies []portBody) []Port {
	var out []Port
	names := uniqueNames{decoder: &d.decoder, kind: "port"}
	taken := uniqueNames{decoder: &d.decoder, kind: "host port"}
	bound := uniqueNames{decoder: &d.decoder, kind: "port of the service"}
	for i := range bodies {
		b := &bodies[i]
		if !stepName.MatchString(b.Name) {
			d.errorAt(&b.LabelRange, "Invalid port name", "%q is no name of a port: lower case letters, digits, \"-\" and \"_\", a letter or digit first.", b.Name)
		}
		names.add(b.Name, b.LabelRange)
		p := Port{
			Name:     b.Name,
			Protocol: d.oneOf(d.text(b.Protocol, "tcp"), "protocol", []string{"tcp", "udp"}),
			Address:  d.oneOf(d.text(b.Address, "any"), "address", []string{"any", "loopback"}),
			Via:      d.oneOf(d.text(b.Via, contract.ViaNone), "way to move a port", []string{contract.ViaNone, contract.ViaConfig, contract.ViaSocket}),
			Guarded:  d.boolean(b.Guarded),
			DefRange: b.DefRange,
		}
		d.portNumbers(b, &p, &taken)
		if p.Listens > 0 {
			bound.add(fmt.Sprintf("%d/%s", p.Listens, p.Protocol), b.Listens.Expr.Range())
		}
		d.guard(b, &p)
		d.portUnit(b, &p)
		d.rewrites(b, &p)
		out = append(out, p)
	}
	d.crossing(bodies, out)
	return out
}

func (d *imageDecoder) portNumbers(b *portBody, p *Port, taken *uniqueNames) {
	if b.Listens == nil {
		d.errorAt(&b.DefRange, "Missing listens", "\"listens\" is required. It is the number that the unmodified service binds.")
		return
	}
	const highest = 65535
	listens, ok := d.whole(b.Listens, 0, highest)
	if !ok {
		if d.isNull(b.Listens) {
			rng := b.Listens.Expr.Range()
			d.errorAt(&rng, "Missing listens", "\"listens\" may not be null. It is the number that the unmodified service binds.")
		}
		d.whole(b.Host, 0, highest)
		return
	}
	p.Listens = listens
	host, given := d.whole(b.Host, listens, highest)
	p.Host = host
	at := b.Listens.Expr.Range()
	if given {
		at = b.Host.Expr.Range()
	}
	if p.Via == contract.ViaNone && host != listens {
		d.errorAt(&at, "Port is not moved", "The service binds %d, and via = \"none\" leaves it there, so the host cannot see it as %d. Remove \"host\", give it %d, or move the port with via = \"config\" or \"socket\".", listens, host, listens)
		return
	}
	taken.add(fmt.Sprintf("%d/%s", host, p.Protocol), at)
}

// guard refuses a guard of a port that others may connect to from elsewhere:
// it would keep processes of this host from that number on every other host,
// and let the others in.
func (d *imageDecoder) guard(b *portBody, p *Port) {
	if p.Guarded && p.Address != "loopback" {
		rng := b.Guarded.Expr.Range()
		d.errorAt(&rng, "Guarded port is not on loopback", "Only connections from this host can be told apart by process, so only a port on the loopback interface can be guarded. Give address = \"loopback\" if the service binds it there, or remove \"guarded\".")
	}
}

// portUnit decodes the unit that listens, before whose starts the port is moved.
func (d *imageDecoder) portUnit(b *portBody, p *Port) {
	if b.Unit == nil {
		if p.Via != contract.ViaNone || p.Guarded {
			d.errorAt(&b.DefRange, "Missing unit", "\"unit\" is required for a port that is moved or guarded. It is the systemd unit that listens; it does not start unless the port is where it belongs.")
		}
		return
	}
	unit := d.required(b.Unit, "unit", b.DefRange, "It is the systemd unit that listens.")
	if !unit.ok || !d.unitName(unit) {
		return
	}
	p.Unit = unit.value
	if !strings.HasSuffix(p.Unit, ".service") {
		d.errorAt(&unit.rng, "Unit is no service", "%q listens by itself, and only a service can be made to wait for its port. Name the .service unit, and disable the other.", p.Unit)
	}
}

// rewrites decodes where the port stands in the service's own files.
func (d *imageDecoder) rewrites(b *portBody, p *Port) {
	for i := range b.Rewrites {
		r := &b.Rewrites[i]
		d.mountPath(text{value: r.Path, rng: r.LabelRange, ok: true}, "rewrite path")
		match := d.required(r.Match, "match", r.DefRange, "It is a regular expression for the line, with \""+contract.PortPlaceholder+"\" in place of the number.")
		const many = 1000
		count, _ := d.whole(r.Count, 1, many)
		out := Rewrite{Path: r.Path, Match: match.value, Count: max(1, count), DefRange: r.DefRange}
		if match.ok && p.Listens > 0 {
			port := contract.Port{Name: p.Name, Listens: p.Listens, Host: p.Host}
			if _, err := portmap.CompileRewrite(port, contract.Rewrite{Path: out.Path, Match: out.Match, Count: out.Count}); err != nil {
				d.errorAt(&match.rng, "Invalid match", "%v", err)
			}
		}
		p.Rewrites = append(p.Rewrites, out)
	}
	switch {
	case p.Via == contract.ViaConfig && len(b.Rewrites) == 0:
		d.errorAt(&b.DefRange, "Missing rewrite", "via = \"config\" moves port %q by rewriting the service's own files, and no rewrite block says which. Add one, or use via = \"socket\".", p.Name)
	case p.Via != contract.ViaConfig && len(b.Rewrites) > 0:
		d.errorAt(&b.Rewrites[0].DefRange, "Rewrite without config", "Files are rewritten with via = \"config\" only; this port has via = %q. Remove the block, or change \"via\".", p.Via)
	}
}

// crossing refuses a port that lands on what another one of the service binds:
// nobody could tell afterwards which of the two a number in a file means.
func (d *imageDecoder) crossing(bodies []portBody, ports []Port) {
	for i, p := range ports {
		for k, other := range ports {
			if i == k || p.Host == 0 || p.Host != other.Listens || p.Protocol != other.Protocol || p.Host == other.Host {
				continue
			}
			var at hcl.Range
			if b := bodies[i]; b.Host != nil {
				at = b.Host.Expr.Range()
			} else {
				at = b.DefRange
			}
			d.errorAt(&at, "Port lands on another", "Port %q would be seen as %d, which is what port %q of the same service binds before it is moved. Choose another number.", p.Name, p.Host, other.Name)
		}
	}
}
