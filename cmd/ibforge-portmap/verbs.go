package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/portmap/socket"
)

// readMap reads a port map. What it does not know it refuses: a misspelt key
// would leave a port where it is.
func readMap(name string) (contract.PortMap, error) {
	var m contract.PortMap
	raw, err := os.ReadFile(name)
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("%s: %w; cure: write it anew from the contract", name, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%s: there is more after the port map; cure: one map per file", name)
	}
	return m, nil
}

func (a *agent) attachAll(dir string) {
	if _, err := os.ReadDir(dir); err != nil {
		a.fail(err)
		return
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		a.fail(err)
		return
	}
	if len(files) == 0 {
		fmt.Fprintf(a.stdout, "no port maps in %s\n", dir)
	}
	a.attach(files)
}

func (a *agent) attach(files []string) {
	from := map[string]string{}
	for _, file := range files {
		m, err := readMap(file)
		if err != nil {
			a.fail(err)
			continue
		}
		if first, twice := from[m.Service]; twice {
			a.fail(fmt.Errorf("%s: %s has the port map of service %s already; cure: remove one of the two", file, first, m.Service))
			continue
		}
		from[m.Service] = file
		r, err := socket.Attach(m, a.opts)
		switch {
		case err != nil:
			a.fail(fmt.Errorf("%s: %w", file, err))
		case r.Hooks == 0:
			fmt.Fprintf(a.stdout, "%s: %s, needs no hooks\n", m.Service, r.Did)
		default:
			fmt.Fprintf(a.stdout, "%s: %s, %d hooks for %s\n", m.Service, r.Did, r.Hooks, r.Cgroup)
		}
	}
}

func (a *agent) check(files []string) {
	for _, file := range files {
		m, err := readMap(file)
		if err == nil {
			if err = socket.Check(m, a.opts); err != nil {
				err = fmt.Errorf("%s: %w", file, err)
			}
		}
		if err != nil {
			a.fail(err)
			continue
		}
		fmt.Fprintf(a.stdout, "%s: in force\n", m.Service)
	}
}

// detach refuses to uncover a service that runs: what it binds next would land
// on the number that others want.
func (a *agent) detach(names []string, force bool) {
	states, err := socket.List(a.opts)
	if err != nil {
		a.fail(err)
		return
	}
	for _, name := range names {
		at := slices.IndexFunc(states, func(s socket.State) bool { return s.Service == name })
		if at >= 0 && states[at].Running && !force {
			a.fail(fmt.Errorf("%s runs, and would take its own port numbers from now on; cure: stop it first, or detach -force", name))
			continue
		}
		if err := socket.Detach(name, a.opts); err != nil {
			a.fail(err)
			continue
		}
		did := socket.DidDetach
		if at < 0 {
			did = "was not attached"
		}
		fmt.Fprintf(a.stdout, "%s: %s\n", name, did)
	}
}

func (a *agent) show(asJSON bool) {
	states, err := socket.List(a.opts)
	if err != nil {
		a.fail(err)
		return
	}
	if asJSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(append([]socket.State{}, states...)); err != nil {
			a.fail(err)
		}
		return
	}
	if len(states) == 0 {
		fmt.Fprintln(a.stdout, "no service has its ports moved or guarded by this program")
		return
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tPORT\tINSISTS ON\tHOST\tHOW\tCONNECT\tRUNS\tCGROUP")
	for _, s := range states {
		for _, row := range rows(s) {
			fmt.Fprintln(w, row)
		}
	}
	w.Flush()
	for _, s := range states {
		for _, fault := range s.Faults {
			fmt.Fprintf(a.stdout, "%s: not in force: %s\n", s.Service, fault)
		}
	}
}

// rows has a line for each port of a service.
func rows(s socket.State) []string {
	runs := map[bool]string{true: "yes", false: "no"}[s.Running]
	if s.Map == nil {
		return []string{s.Service + "\t-\t-\t-\t-\t-\t" + runs + "\t-"}
	}
	var out []string
	for _, p := range s.Map.Ports {
		who := map[bool]string{true: "own processes", false: "all"}[p.Guarded]
		out = append(out, fmt.Sprintf("%s\t%s\t%d/%s\t%d/%s\t%s\t%s\t%s\t%s",
			s.Service, p.Name, p.Listens, p.Protocol, p.Host, p.Protocol, p.Via, who, runs, s.Map.Cgroup))
	}
	return out
}
