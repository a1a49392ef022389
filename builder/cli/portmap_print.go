package cli

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/conflict"
)

// kollaJSON says what of Kolla was looked at.
type kollaJSON struct {
	Release      string `json:"release"`
	KollaAnsible string `json:"kolla_ansible"`
	// Services is "all" or "globals".
	Services string `json:"services"`
	// Ports in the form of the role variable ib_service_kolla_ports.
	Ports []rolePort `json:"ports,omitempty"`
}

// rolePort is an entry of the role variable ib_service_kolla_ports.
type rolePort struct {
	Variable string `json:"variable"`
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
}

// kolla is nil where Kolla was left out.
func (s scene) kolla() *kollaJSON {
	if s.release.Name == "" {
		return nil
	}
	out := kollaJSON{Release: s.release.Name, KollaAnsible: s.release.KollaAnsible, Services: "all"}
	if s.byGlobals {
		out.Services = "globals"
	}
	return &out
}

func (s scene) conflictsJSON(conflicts []conflict.Conflict) any {
	return map[string]any{"kolla": s.kolla(), "conflicts": conflicts}
}

// mapPort is one port of an image and who else wants its numbers.
type mapPort struct {
	Image string `json:"image"`
	contract.Port
	// WantsListens and WantsHost are the claims of others to the two numbers.
	// Those to Host are conflicts.
	WantsListens []conflict.Claim `json:"wants_listens"`
	WantsHost    []conflict.Claim `json:"wants_host"`
}

func (s scene) mapPorts() []mapPort {
	out := []mapPort{}
	for _, c := range s.host.Contracts {
		for _, p := range conflict.Ports(c) {
			out = append(out, mapPort{c.Image, p, s.host.Claims(c.Image, p, p.Listens), s.host.Claims(c.Image, p, p.Host)})
		}
	}
	return out
}

func (s scene) mapJSON() any {
	k := s.kolla()
	if k != nil {
		for _, p := range s.host.Kolla {
			r := rolePort{Variable: p.Variable, Port: p.Number, Protocol: p.Protocol}
			if r.Variable == "" {
				r.Variable = p.Service
			}
			if !slices.Contains(k.Ports, r) {
				k.Ports = append(k.Ports, r)
			}
		}
	}
	return map[string]any{"kolla": k, "ports": s.mapPorts()}
}

func (g *globals) printMap(s scene) error {
	ports := s.mapPorts()
	if len(ports) == 0 {
		_, err := fmt.Fprintln(g.Stdout, "no port on the host's network")
		return err
	}
	w := tabwriter.NewWriter(g.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tPORT\tINSISTS ON\tHOST\tHOW\tWHO ELSE WANTS IT")
	for _, p := range ports {
		insists := fmt.Sprintf("%d/%s", p.Listens, p.Protocol)
		if p.Address == "loopback" {
			insists += " loopback"
		}
		how := p.Via
		if p.Guarded {
			how += ", guarded"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t", p.Image, p.Name, insists, p.Host, how)
		var others []string
		for _, c := range p.WantsHost {
			others = append(others, fmt.Sprintf("%d CONFLICT: %s", p.Host, short(c)))
		}
		for _, c := range p.WantsListens {
			if p.Listens != p.Host {
				others = append(others, fmt.Sprintf("%d: %s", p.Listens, short(c)))
			}
		}
		if len(others) == 0 {
			others = []string{"-"}
		}
		fmt.Fprintln(w, strings.Join(others, "\n\t\t\t\t\t"))
	}
	return w.Flush()
}

// short is a claim for the table.
func short(c conflict.Claim) string {
	switch c.Kind {
	case conflict.KindImage:
		return c.Name + "." + c.Port
	case conflict.KindKolla:
		if len(c.Variables) == 0 {
			return "Kolla's " + c.Name
		}
		// The one of which the others are made, as a rule.
		name := slices.MinFunc(c.Variables, func(a, b string) int { return len(a) - len(b) })
		if n := len(c.Variables) - 1; n > 0 {
			return fmt.Sprintf("Kolla's %s and %d more of %s", name, n, c.Name)
		}
		return fmt.Sprintf("Kolla's %s of %s", name, c.Name)
	}
	return listener(c)
}

func listener(c conflict.Claim) string {
	if c.PID == 0 {
		return "a process that is not to be seen"
	}
	return fmt.Sprintf("%s (process %d)", c.Name, c.PID)
}

func (g *globals) printConflicts(s scene, conflicts []conflict.Conflict) error {
	var before *conflict.Conflict
	ports := 0
	end := func() {
		if before != nil {
			fmt.Fprintln(g.Stdout, cure(*before))
		}
	}
	for i := range conflicts {
		c := &conflicts[i]
		if before == nil || before.Image != c.Image || before.Port != c.Port {
			end()
			where := "every address"
			if c.Address == "loopback" {
				where = "loopback"
			}
			fmt.Fprintf(g.Stdout, "%s.%s, %s port %d on %s\n", c.Image, c.Port, strings.ToUpper(c.Protocol), c.Number, where)
			ports++
		}
		fmt.Fprintf(g.Stdout, "  %s\n", long(c.With, c.Number))
		before = c
	}
	end()
	_, err := fmt.Fprintln(g.Stdout, s.summary(len(conflicts), ports))
	return err
}

// long is a claim in full.
func long(c conflict.Claim, number int) string {
	switch c.Kind {
	case conflict.KindImage:
		return fmt.Sprintf("image %s: its port %s", c.Name, c.Port)
	case conflict.KindKolla:
		by, usual := "a fixed number", "not in use"
		if len(c.Variables) > 0 {
			by = strings.Join(c.Variables, ", ")
		}
		if c.Usual {
			usual = "in use"
		}
		return fmt.Sprintf("Kolla's %s: %s, on %s (%s, by default %s)", c.Name, by, strings.Join(c.Addresses, ", "), c.EnabledBy, usual)
	}
	address := c.Addresses[0]
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return fmt.Sprintf("listener: %s, %s %s:%d", listener(c), c.Family, address, number)
}

// cure of the conflicts of one port.
func cure(c conflict.Conflict) string {
	switch {
	case c.Free == 0:
		return "  no number is free"
	case c.Via == contract.ViaNone:
		return fmt.Sprintf("  cure: host = %d, with via = %q or %q, in the description", c.Free, contract.ViaConfig, contract.ViaSocket)
	}
	return fmt.Sprintf("  cure: host = %d in the description, or {%s: %d} in the variable of its role, such as ib_ufm_ports", c.Free, c.Port, c.Free)
}

// summary is the last line.
func (s scene) summary(conflicts, ports int) string {
	all := 0
	for _, c := range s.host.Contracts {
		all += len(conflict.Ports(c))
	}
	beside := []string{}
	if s.release.Name != "" {
		beside = append(beside, "Kolla "+s.release.Name)
	}
	if s.listeners {
		beside = append(beside, count(len(s.host.Listeners), "listener"))
	}
	with := ""
	if len(beside) > 0 {
		with = " beside " + strings.Join(beside, " and ")
	}
	if conflicts == 0 {
		return fmt.Sprintf("%s of %s: no conflict%s", count(all, "port"), count(len(s.host.Contracts), "image"), with)
	}
	return fmt.Sprintf("%s at %d of %s%s", count(conflicts, "conflict"), ports, count(all, "port"), with)
}
