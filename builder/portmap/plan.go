package portmap

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
)

// fileChange is one file with all the rewrites that it gets.
type fileChange struct {
	// paths by which the port map names it, name to which they lead in root.
	paths []string
	name  string
	ports []contract.Port
	jobs  []job

	old    *original
	record record
	text   []byte
}

func (f *fileChange) changed() bool { return !bytes.Equal(f.old.text, f.text) }

// fault is one of the file as a whole.
func (f *fileChange) fault(why string) Fault {
	return Fault{Path: f.paths[0], Port: portNames(f.ports), Why: why}
}

func portNames(ports []contract.Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

// changes are what the rewrites of some ports come to below one root.
type changes struct {
	root  *os.Root
	files []*fileChange
}

// plan reads all files and rewrites their texts, and writes nothing. Call close
// even if it fails. What is wrong comes as a *[FaultsError].
func plan(root *os.Root, ports []contract.Port) (*changes, error) {
	c := &changes{root: root}
	faults := c.collect(ports)
	for _, f := range c.files {
		if why := f.read(root); why != "" {
			faults = append(faults, f.fault(why))
			continue
		}
		for i := range f.jobs {
			f.jobs[i].numbers = f.record.candidates(f.jobs[i].Port)
		}
		var err error
		if f.text, err = rewrite(f.old.text, f.jobs); err != nil {
			faults = append(faults, faultsOf(err, f)...)
		}
	}
	return c, asError(faults)
}

// collect sorts the rewrites by the file that they lead to. Two paths may lead
// to one, and two texts of one file would undo each other.
func (c *changes) collect(ports []contract.Port) (faults []Fault) {
	for _, port := range ports {
		for _, r := range port.Rewrites {
			p, err := CompileRewrite(port, r)
			if err != nil {
				faults = append(faults, Fault{Path: r.Path, Port: port.Name, Why: err.Error()})
				continue
			}
			name, err := resolve(c.root, r.Path)
			if err != nil {
				fault := Fault{Path: r.Path, Port: port.Name, Why: cure(err)}
				if !slices.Contains(faults, fault) { // several rewrites of one file
					faults = append(faults, fault)
				}
				continue
			}
			c.add(name, job{Pattern: p})
		}
	}
	return faults
}

func (c *changes) add(name string, j job) {
	at := slices.IndexFunc(c.files, func(f *fileChange) bool { return f.name == name })
	if at < 0 {
		at = len(c.files)
		c.files = append(c.files, &fileChange{name: name})
	}
	f := c.files[at]
	f.jobs = append(f.jobs, j)
	if !slices.Contains(f.paths, j.Rewrite.Path) {
		f.paths = append(f.paths, j.Rewrite.Path)
	}
	if !slices.ContainsFunc(f.ports, func(p contract.Port) bool { return p.Name == j.Port.Name }) {
		f.ports = append(f.ports, j.Port)
	}
}

// read gives the reason why the file or its record cannot be read, if so.
func (f *fileChange) read(root *os.Root) (why string) {
	var err error
	if f.old, err = open(root, f.name); err != nil {
		return cure(err)
	}
	if f.record, err = readRecord(root, f.name); err != nil {
		return cure(err)
	}
	return ""
}

func faultsOf(err error, f *fileChange) []Fault {
	var e *FaultsError
	if errors.As(err, &e) {
		return e.Faults
	}
	return []Fault{f.fault(err.Error())}
}

func (c *changes) close() {
	for _, f := range c.files {
		if f.old != nil {
			_ = f.old.Close() // it was only read
		}
	}
}
