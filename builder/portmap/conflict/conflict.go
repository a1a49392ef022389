// Package conflict holds the ports of services against all that wants the same
// ones on a host: other services, who listens there, and the services of Kolla.
package conflict

import (
	"slices"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/kolla"
)

// Kinds of claims.
const (
	// KindImage is another port of an image.
	KindImage = "image"
	// KindKolla is a service of Kolla.
	KindKolla = "kolla"
	// KindListener is a socket on the host.
	KindListener = "listener"
)

// Claim is what somebody has, or will have, of a port of the host.
type Claim struct {
	// Kind is one of the kinds above.
	Kind string `json:"kind"`
	// Name of the image, of Kolla's service, or of the process. Empty for a
	// process that is not to be seen.
	Name string `json:"name"`
	// Port is the name of the image's port.
	Port string `json:"port,omitempty"`
	// Variables of Kolla that hold the number. None where it is fixed.
	Variables []string `json:"variables,omitempty"`
	// EnabledBy is the variable of Kolla that turns the service on, and Usual
	// whether the port is in use where the site says nothing.
	EnabledBy string `json:"enabled_by,omitempty"`
	Usual     bool   `json:"used_by_default,omitempty"`
	// Family of a listener's address: "IPv4" or "IPv6".
	Family string `json:"family,omitempty"`
	// Addresses: a listener's own, "any" or "loopback" of an image, or those of
	// Kolla, such as "internal_vip".
	Addresses []string `json:"addresses"`
	// PID of the listener's process; 0 where it is not to be seen.
	PID int `json:"pid,omitempty"`
}

// Conflict is one port of an image that somebody else wants too.
type Conflict struct {
	Image    string `json:"image"`
	Port     string `json:"port"`
	Protocol string `json:"protocol"`
	// Number of the port on the host, and Address that the service binds: "any"
	// or "loopback".
	Number  int    `json:"number"`
	Address string `json:"address"`
	// Via is how the image moves the port.
	Via  string `json:"via"`
	With Claim  `json:"with"`
	// Free is a number that nobody wants, 0 if there is none.
	Free int `json:"free"`
}

// Host is what is known of the ports of one host.
type Host struct {
	// Contracts of all images that run there.
	Contracts []contract.Contract
	// Kolla's ports in use there.
	Kolla []kolla.Port
	// Reserved are ports of Kolla that are not in use. No free number is one of
	// them: a service may be turned on later.
	Reserved  []kolla.Port
	Listeners []Listener
}

// Conflicts are all of them, in the order of the contracts. Two ports of images
// that meet are one conflict, told at the second.
//
// The addresses of Kolla's services are the site's choice and its inventory is
// not known here, so that a port of the same number counts whatever the address.
func (h Host) Conflicts() []Conflict {
	out := []Conflict{}
	taken := h.wanted()
	var seen []ref
	for _, c := range h.Contracts {
		for _, p := range Ports(c) {
			seen = append(seen, ref{c.Image, p.Name})
			free := 0
			for _, claim := range h.Claims(c.Image, p, p.Host) {
				if claim.Kind == KindImage && !slices.Contains(seen, ref{claim.Name, claim.Port}) {
					continue
				}
				if free == 0 {
					free = freeNumber(p.Host, taken)
					taken[free] = true
				}
				out = append(out, Conflict{
					Image: c.Image, Port: p.Name, Protocol: p.Protocol, Number: p.Host,
					Address: p.Address, Via: p.Via, With: claim, Free: free,
				})
			}
		}
	}
	return out
}

// ref names a port of an image.
type ref struct{ image, port string }

// Ports are those that a service has on its host: none, if it is not on the
// host's network.
func Ports(c contract.Contract) []contract.Port {
	if c.Network != "host" {
		return nil
	}
	return c.Ports
}

// Claims are what others than the image's port itself have of a number of its
// protocol, on an address that meets the port's.
func (h Host) Claims(image string, p contract.Port, number int) []Claim {
	out := []Claim{}
	for _, c := range h.Contracts {
		for _, o := range Ports(c) {
			if o.Protocol == p.Protocol && o.Host == number && (ref{c.Image, o.Name} != ref{image, p.Name}) {
				out = append(out, Claim{Kind: KindImage, Name: c.Image, Port: o.Name, Addresses: []string{o.Address}})
			}
		}
	}
	out = append(out, h.kolla(p.Protocol, number)...)
	for _, l := range h.Listeners {
		if l.Protocol == p.Protocol && l.Port == number && meets(p, l) {
			out = append(out, Claim{
				Kind: KindListener, Name: l.Process, PID: l.PID, Family: family(l), Addresses: []string{l.Address.String()},
			})
		}
	}
	return out
}

// kolla gives one claim for each service.
func (h Host) kolla(protocol string, number int) []Claim {
	var out []Claim
	for _, k := range h.Kolla {
		if k.Protocol != protocol || k.Number != number {
			continue
		}
		i := slices.IndexFunc(out, func(c Claim) bool { return c.Name == k.Service })
		if i < 0 {
			i = len(out)
			out = append(out, Claim{Kind: KindKolla, Name: k.Service, EnabledBy: k.EnabledBy})
		}
		out[i].Usual = out[i].Usual || k.Usual
		if k.Variable != "" && !slices.Contains(out[i].Variables, k.Variable) {
			out[i].Variables = append(out[i].Variables, k.Variable)
		}
		if !slices.Contains(out[i].Addresses, k.Listens) {
			out[i].Addresses = append(out[i].Addresses, k.Listens)
		}
	}
	return out
}

// meets tells whether a service's bind and a listener's address overlap. Which
// address of the loopback network a service binds, and of which family, the
// contract does not tell: all of them count.
func meets(p contract.Port, l Listener) bool {
	return p.Address == "any" || l.Address.IsUnspecified() || l.Address.IsLoopback()
}

func family(l Listener) string {
	if l.Address.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// wanted are all numbers that somebody wants, whatever the protocol.
func (h Host) wanted() map[int]bool {
	out := map[int]bool{}
	for _, c := range h.Contracts {
		for _, p := range Ports(c) {
			// What the service binds before it is moved cannot be where another
			// of its ports lands.
			out[p.Host], out[p.Listens] = true, true
		}
	}
	for _, k := range slices.Concat(h.Kolla, h.Reserved) {
		out[k.Number] = true
	}
	for _, l := range h.Listeners {
		out[l.Port] = true
	}
	return out
}

// freeNumber looks upwards from where people would look for a moved port: 443
// at 8443. It leaves out what the kernel gives to clients by default
// (net.ipv4.ip_local_port_range) and what only root may bind.
func freeNumber(from int, taken map[int]bool) int {
	const (
		firstUnprivileged = 1024
		firstOfClients    = 32768
		likeHTTP          = 8000
	)
	begin := from + 1
	if from < firstUnprivileged {
		begin = from + likeHTTP
	}
	for n := begin; n < firstOfClients; n++ {
		if !taken[n] {
			return n
		}
	}
	for n := firstUnprivileged; n < min(begin, firstOfClients); n++ {
		if !taken[n] {
			return n
		}
	}
	return 0
}
