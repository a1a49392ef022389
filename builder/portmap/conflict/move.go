package conflict

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// Move gives copies of the contracts in which ports land elsewhere, as a site
// may want them. Each move is "IMAGE.PORT=NUMBER". The error names all that is
// wrong with them.
func Move(contracts []contract.Contract, moves []string) ([]contract.Contract, error) {
	out := slices.Clone(contracts)
	for i := range out {
		out[i].Ports = slices.Clone(out[i].Ports)
	}
	if len(moves) == 0 {
		return out, nil // held to the rules where they were read
	}
	var faults []error
	for _, m := range moves {
		if err := move(out, m); err != nil {
			faults = append(faults, fmt.Errorf("%q: %w", m, err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	for _, c := range out {
		if err := portmap.Validate(c.Ports); err != nil {
			faults = append(faults, fmt.Errorf("image %q: %w", c.Image, err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}

func move(contracts []contract.Contract, m string) error {
	which, number, ok := strings.Cut(m, "=")
	image, name, dot := strings.Cut(which, ".")
	host, err := strconv.Atoi(number)
	const highest = 65535
	if !ok || !dot || err != nil || host < 1 || host > highest {
		return fmt.Errorf("write IMAGE.PORT=NUMBER with a number from 1 to %d, such as ufm.https=8443", highest)
	}
	c := slices.IndexFunc(contracts, func(c contract.Contract) bool { return c.Image == image })
	if c < 0 {
		return fmt.Errorf("there is no image %q; there are %s", image, names(contracts, func(c contract.Contract) string { return c.Image }))
	}
	ports := contracts[c].Ports
	p := slices.IndexFunc(ports, func(p contract.Port) bool { return p.Name == name })
	switch {
	case p < 0 && len(ports) == 0:
		return fmt.Errorf("image %q has no port", image)
	case p < 0:
		return fmt.Errorf("image %q has no port %q; it has %s", image, name, names(ports, func(p contract.Port) string { return p.Name }))
	case ports[p].Via == contract.ViaNone:
		return fmt.Errorf("the image does not move this port: its via is %q; give it \"config\" or \"socket\" in the description", contract.ViaNone)
	}
	ports[p].Host = host
	return nil
}

func names[T any](list []T, name func(T) string) string {
	var out []string
	for _, item := range list {
		out = append(out, name(item))
	}
	return strings.Join(out, ", ")
}
