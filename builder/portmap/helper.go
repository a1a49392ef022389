package portmap

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
)

// Helper is the program that an image has as /usr/libexec/ibforge/ports, with
// what it takes from its process.
type Helper struct {
	// Stdout gets what was asked for, Stderr what was done and what is wrong;
	// under systemd both are the journal of the unit.
	Stdout, Stderr io.Writer
	// Version is what --version prints.
	Version string
	// gate stands in for Gate in tests.
	gate func([]contract.Port) error
}

const usage = `usage: ports start --unit UNIT [--map FILE] [--root DIR]
       ports check [--map FILE] [--root DIR]
       ports --version

start  makes ready for a start of UNIT: it looks for the socket hooks of its
       ports, and puts the host's numbers into the service's own files.
check  tells what start would do for every unit, and changes nothing.

--unit UNIT  the systemd service that is about to start
--map FILE   the port map (default: DIR` + contract.PortMapPath + `)
--root DIR   where the paths of the map begin (default: /)
`

// Exit statuses of the helper.
const (
	statusFault = 1
	statusUsage = 2
)

// Run carries out one command line and gives the exit status: 0 if the unit may
// start, 1 if not, 2 if the command line is wrong.
func (h Helper) Run(args []string) int {
	o, err := parseOptions(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(h.Stdout, usage)
		return 0
	case err != nil:
		fmt.Fprintf(h.Stderr, "ports: %v\n%s", err, usage)
		return statusUsage
	case o.version:
		fmt.Fprintf(h.Stdout, "ibforge ports %s, port map version %d\n", h.Version, contract.PortMapVersion)
		return 0
	}
	if h.gate == nil {
		h.gate = Gate
	}
	m, err := readMap(o.file)
	if err == nil {
		err = o.command(h, o, m)
	}
	if err == nil {
		return 0
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(h.Stderr, "ports: %s\n", line)
	}
	return statusFault
}

type options struct {
	command          func(Helper, options, contract.PortMap) error
	unit, file, root string
	version          bool
}

func parseOptions(args []string) (options, error) {
	o := options{}
	set := flag.NewFlagSet("ports", flag.ContinueOnError)
	set.SetOutput(io.Discard) // Run prints the fault, once
	name := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
		set.StringVar(&o.file, "map", "", "")
		set.StringVar(&o.root, "root", "/", "")
	}
	switch name {
	case "start":
		o.command = Helper.start
		set.StringVar(&o.unit, "unit", "", "")
	case "check":
		o.command = Helper.check
	case "":
		set.BoolVar(&o.version, "version", false, "")
	default:
		return o, fmt.Errorf("there is no command %q: use start or check", name)
	}
	if err := set.Parse(args); err != nil {
		return o, fmt.Errorf("the arguments: %w", err)
	}
	switch {
	case set.NArg() > 0:
		return o, fmt.Errorf("%q is one argument too many: remove it", set.Arg(0))
	case name == "" && !o.version:
		return o, errors.New("there is no command: use start or check")
	case name == "start" && o.unit == "":
		return o, errors.New("start needs --unit: the service that is about to start")
	}
	if o.file == "" {
		o.file = filepath.Join(o.root, contract.PortMapPath)
	}
	return o, nil
}

// readMap reads and judges a port map.
func readMap(file string) (contract.PortMap, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return contract.PortMap{}, fmt.Errorf("the port map: %w: an image with ports has it at %s; look what is mounted there, or give --map", err, contract.PortMapPath)
	}
	m, err := contract.ParsePortMap(data)
	if err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	if err := Validate(m.Ports); err != nil {
		return m, fmt.Errorf("%s: %s", file, strings.ReplaceAll(err.Error(), "\n", "\n"+file+": "))
	}
	return m, nil
}

// start makes ready for the start of one unit. If the gate is closed, the files
// are still judged, so that all faults are known at once, but not written.
func (h Helper) start(o options, m contract.PortMap) error {
	ports := unitPorts(m.Ports, o.unit)
	units := Units(ports)
	if len(units) == 0 {
		return fmt.Errorf("%s has no port that is moved or guarded by %s, which names %s: correct --unit in its drop-in, or the unit of the port",
			o.unit, o.file, or(strings.Join(Units(m.Ports), ", "), "no unit at all"))
	}
	if err := h.gateFor(ports, m); err != nil {
		_, faults := preview(o.root, configPorts(ports))
		return errors.Join(err, faults)
	}
	changed, err := Rewrite(o.root, m, o.unit)
	for _, path := range changed {
		fmt.Fprintf(h.Stderr, "ports: %s: rewritten\n", path)
	}
	if err != nil {
		return err
	}
	for _, p := range ports {
		fmt.Fprintf(h.Stderr, "ports: %s\n", describe(p))
	}
	return nil
}

// gateFor looks for the hooks where a port of the unit needs them.
func (h Helper) gateFor(ports []contract.Port, m contract.PortMap) error {
	if !Hooked(ports) {
		return nil
	}
	return h.gate(m.Ports)
}

// check tells what start would do for each unit.
func (h Helper) check(o options, m contract.PortMap) error {
	var faults []error
	units := Units(m.Ports)
	if len(units) == 0 {
		fmt.Fprintln(h.Stdout, "no port is moved or guarded: there is nothing to do")
	}
	for _, unit := range units {
		ports := unitPorts(m.Ports, unit)
		fmt.Fprintf(h.Stdout, "%s\n", unit)
		for _, p := range ports {
			fmt.Fprintf(h.Stdout, "  %s\n", describe(p))
		}
		lines, err := preview(o.root, configPorts(ports))
		for _, line := range lines {
			fmt.Fprintf(h.Stdout, "  %s\n", line)
		}
		faults = append(faults, err)
	}
	closed := h.gateFor(m.Ports, m)
	if Hooked(m.Ports) && closed == nil {
		fmt.Fprintln(h.Stdout, "socket hooks: in force")
	}
	return errors.Join(append(faults, closed)...)
}

// preview tells for each file of some ports whether it would be rewritten.
func preview(root string, ports []contract.Port) (lines []string, err error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c, err := plan(r, ports)
	defer c.close()
	for _, f := range c.files {
		switch {
		case f.text == nil: // a fault says why
		case f.changed():
			lines = append(lines, f.paths[0]+": would be rewritten")
		default:
			lines = append(lines, f.paths[0]+": is right already")
		}
	}
	return lines, err
}

func describe(p contract.Port) string {
	text := fmt.Sprintf("port %s: %d/%s -> %d by %s", p.Name, p.Listens, p.Protocol, p.Host, p.Via)
	if p.Via == contract.ViaNone {
		text = fmt.Sprintf("port %s: %d/%s", p.Name, p.Listens, p.Protocol)
	}
	if p.Guarded {
		text += ", guarded"
	}
	return text
}

func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}
