package socket

import (
	"errors"
	"fmt"
	"path"
	"regexp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap"
)

// maxPorts bounds the programs: a jump reaches 32767 instructions far (struct
// bpf_insn), and two ports take four.
const maxPorts = 1000

// validate tells all that is wrong with a map for the host.
func validate(m contract.PortMap) error {
	var faults []error
	if m.Version != contract.PortMapVersion {
		faults = append(faults, fmt.Errorf("version is %d and this program reads version %d: use the one that belongs to the file", m.Version, contract.PortMapVersion))
	}
	faults = append(faults, serviceFault(m.Service))
	if !path.IsAbs(m.Cgroup) || m.Cgroup == "/" || path.Clean(m.Cgroup) != m.Cgroup {
		faults = append(faults, fmt.Errorf(`cgroup is %q: it must be the path of the service's own cgroup below the root of the cgroup v2 tree, such as "/ibforge-ib_ufm"`, m.Cgroup))
	}
	if len(m.Ports) > maxPorts {
		faults = append(faults, fmt.Errorf("there are %d ports: there must not be more than %d", len(m.Ports), maxPorts))
	}
	if err := errors.Join(append(faults, portmap.Validate(m.Ports))...); err != nil {
		return fmt.Errorf("%w: %w", ErrMap, err)
	}
	return nil
}

// serviceFault keeps names such that each can be one directory of pins; see
// store.dir.
func serviceFault(name string) error {
	const longest = 64
	if !regexp.MustCompile(`^[a-z0-9_.]+$`).MatchString(name) || len(name) > longest {
		return fmt.Errorf(`service is %q: it must be of lower case letters, digits, "_" and ".", no more than %d`, name, longest)
	}
	return nil
}
