// Command ibforge builds, verifies and deploys systemd-capable container images
// of InfiniBand fabric services.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/ibforge/ibforge/builder/cli"
	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/engine/buildah"
)

// libexec is where this program lies: make build puts its companions there.
func libexec() string {
	exe, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(exe)
}

func main() {
	// buildah starts this program again for what it does in other namespaces.
	if buildah.Reexec() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.App{
		Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Now: time.Now, Arch: runtime.GOARCH,
		Libexec:   libexec(),
		OpenStore: func(o engine.StoreOptions) (engine.Store, error) { return buildah.Open(o) },
		Deployer:  deploy.Ansible{},
	})
	stop() // not deferred: os.Exit runs nothing that is
	os.Exit(code)
}
