package spec

import "fmt"

// ports decodes the port blocks. Two services cannot share one number of the
// host, because they share its network.
func (d *imageDecoder) ports(bodies []portBody) []Port {
	var out []Port
	names := uniqueNames{decoder: &d.decoder, kind: "port"}
	taken := uniqueNames{decoder: &d.decoder, kind: "host port"}
	for i := range bodies {
		b := &bodies[i]
		if !stepName.MatchString(b.Name) {
			d.errorAt(&b.LabelRange, "Invalid port name", "%q is no name of a port: lower case letters, digits, \"-\" and \"_\", a letter or digit first.", b.Name)
		}
		names.add(b.Name, b.LabelRange)
		p := Port{
			Name:     b.Name,
			Protocol: d.oneOf(d.text(b.Protocol, "tcp"), "protocol", []string{"tcp", "udp"}),
			Via:      d.oneOf(d.text(b.Via, "none"), "way to move a port", []string{"none"}),
			DefRange: b.DefRange,
		}
		d.portNumbers(b, &p, &taken)
		out = append(out, p)
	}
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
	if p.Via == "none" && host != listens {
		d.errorAt(&at, "Port is not moved", "The service binds %d, and via = \"none\" leaves it there, so the host cannot see it as %d. Remove \"host\", or give it %d.", listens, host, listens)
		return
	}
	taken.add(fmt.Sprintf("%d/%s", host, p.Protocol), at)
}
