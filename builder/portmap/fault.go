package portmap

import (
	"fmt"
	"strings"
)

// Fault is one thing that keeps the files of a service from being rewritten.
type Fault struct {
	// Path of the file as the port map has it.
	Path string
	// Port is the name of the port, or several with commas between them where
	// the file as a whole is at fault.
	Port string
	// Match is the rewrite's; empty where the file as a whole is at fault.
	Match string
	// Want and Found are how often the match was to be found, and was.
	Want, Found int
	// Why says what else is known, and the cure.
	Why string
}

// String gives the fault on one line.
func (f Fault) String() string {
	if f.Match == "" {
		return fmt.Sprintf("%s: port %s: %s", f.Path, f.Port, f.Why)
	}
	return fmt.Sprintf("%s: port %s: match %q: wanted %d, found %d: %s", f.Path, f.Port, f.Match, f.Want, f.Found, f.Why)
}

// FaultsError is all that keeps the files of a service from being rewritten.
type FaultsError struct{ Faults []Fault }

// Error gives one line for each fault.
func (e *FaultsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// asError is nil where nothing is wrong.
func asError(faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &FaultsError{Faults: faults}
}
