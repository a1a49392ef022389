// Package program has a test binary play ibforge, so that tests call it as its
// users do, and what they call is built from the working tree.
package program

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ibforge/ibforge/builder/cli"
	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/engine/buildah"
)

// Main is to be all of a package's TestMain. testscript puts a program ibforge
// first on PATH: the test binary, which then does what cmd/ibforge does.
func Main(m testscript.TestingM) {
	if buildah.Reexec() {
		return
	}
	testscript.Main(m, map[string]func(){"ibforge": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(cli.Main(ctx, os.Args[1:], cli.App{
			Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Now: time.Now,
			OpenStore: func(o engine.StoreOptions) (engine.Store, error) { return buildah.Open(o) },
			Deployer:  deploy.Ansible{},
		}))
	}})
}
