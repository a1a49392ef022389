// Command ibforge-ports is in an image as /usr/libexec/ibforge/ports. It runs
// before every start of a service whose ports are moved or guarded, and lets it
// start only if they are.
package main

import (
	"os"
	"runtime/debug"

	"github.com/ibforge/ibforge/builder/portmap"
)

func main() {
	os.Exit(portmap.Helper{Stdout: os.Stdout, Stderr: os.Stderr, Version: version()}.Run(os.Args[1:]))
}

// version is what the Go linker knows of the source.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
}
