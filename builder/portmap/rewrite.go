package portmap

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/ibforge/ibforge/builder/contract"
)

// Units gives the systemd units before whose start something is to be done for
// their ports: files to rewrite, or socket hooks to look for. They are sorted.
func Units(ports []contract.Port) []string {
	var out []string
	for _, p := range ports {
		if p.Unit != "" && (p.Via != contract.ViaNone || p.Guarded) {
			out = append(out, p.Unit)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unitPorts gives the ports that a unit listens on.
func unitPorts(ports []contract.Port, unit string) []contract.Port {
	return slices.DeleteFunc(slices.Clone(ports), func(p contract.Port) bool { return p.Unit != unit })
}

// configPorts gives those whose files are rewritten.
func configPorts(ports []contract.Port) []contract.Port {
	return slices.DeleteFunc(slices.Clone(ports), func(p contract.Port) bool { return p.Via != contract.ViaConfig })
}

// Rewrite puts the host's numbers into the files of the ports that a unit
// listens on and that are moved by [contract.ViaConfig]. The paths are taken
// below the directory root, and never lead out of it. It gives the paths of the
// files that were changed.
//
// No file is changed unless every rewrite of every file is right and all of the
// new content is on the disk; each is then replaced as a whole, with its owner,
// mode and labels. A symbolic link stays, and what it leads to is replaced.
// What keeps it from that comes as a *[FaultsError].
//
// Beside each file a hidden one, .NAME.ibforge-ports, keeps the numbers that
// were written, so that they are found when the site moves a port once more.
func Rewrite(root string, m contract.PortMap, unit string) (changed []string, err error) {
	ports := configPorts(unitPorts(m.Ports, unit))
	if len(ports) == 0 {
		return nil, nil
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	unlock, err := lock(r)
	if err != nil {
		return nil, err
	}
	defer unlock()
	c, err := plan(r, ports)
	defer c.close()
	if err != nil {
		return nil, err
	}
	return c.commit()
}

// lock waits until no other unit's start rewrites files: two units may have
// their ports in one file, and systemd starts them at the same time.
func lock(root *os.Root) (unlock func(), err error) {
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s against other starts: %w", f.Name(), err), f.Close())
	}
	return func() { _ = f.Close() }, nil // which releases it
}

// commit writes what differs.
func (c *changes) commit() (changed []string, err error) {
	todo := slices.DeleteFunc(slices.Clone(c.files), func(f *fileChange) bool { return !f.changed() })
	news, err := c.stage(todo)
	if err != nil {
		return nil, err
	}
	for i, f := range todo {
		if err := news[i].commit(); err != nil {
			for _, later := range news[i+1:] {
				later.drop()
			}
			return changed, asError([]Fault{f.fault(cure(err) + "; the files before it are rewritten, and the next start does the others")})
		}
		changed = append(changed, f.paths[0])
	}
	for _, f := range todo {
		if after := f.record.after(f.ports); !after.equal(f.record.during(f.ports)) {
			if err := after.write(c.root, f.name); err != nil {
				return changed, asError([]Fault{f.fault(cure(err) + "; the file itself is rewritten")})
			}
		}
	}
	return changed, nil
}

// stage brings all that will be written to the disk, the records before the
// files: a number must never be in a file and not in its record.
func (c *changes) stage(todo []*fileChange) (news []staged, err error) {
	var faults []Fault
	for _, f := range todo {
		s, err := stage(c.root, f.name, f.text, f.old)
		if err != nil {
			faults = append(faults, f.fault(cure(err)+"; no file was changed"))
			continue
		}
		news = append(news, s)
	}
	if len(faults) == 0 {
		for _, f := range todo {
			if during := f.record.during(f.ports); !during.equal(f.record) {
				if err := during.write(c.root, f.name); err != nil {
					faults = append(faults, f.fault(cure(err)+"; no file was changed"))
				}
			}
		}
	}
	if len(faults) > 0 {
		for _, s := range news {
			s.drop()
		}
	}
	return news, asError(faults)
}
