// Command ibforge-portmap puts the hooks in force that move and guard the ports
// of fabric services on this host. It needs no other program and does not stay:
// what it attaches is pinned.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
