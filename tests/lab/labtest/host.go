package labtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
)

// Host starts a host with systemd, docker and podman for the test. Without a
// Dir it gets a fresh one; without a Cache it takes the checkout's; without a
// Log, its log is shown if the test fails.
func Host(tb testing.TB, opts lab.HostOptions) *lab.Host {
	tb.Helper()
	Need(tb, lab.HostTools()...)
	NeedRoot(tb, "a host")
	if opts.Dir == "" {
		opts.Dir = Dir(tb)
	}
	if opts.Cache == "" {
		opts.Cache = filepath.Join(checkout(tb), ".cache/lab")
	}
	if opts.Mirror == "" {
		opts.Mirror = os.Getenv("IBFORGE_MIRROR")
	}
	if opts.Log == nil {
		opts.Log = logOf(tb, "the host")
	}
	h, err := lab.StartHost(context.Background(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	stopAfter(tb, h.Stop)
	return h
}

// checkout is the directory that go.mod is in; tests run below it.
func checkout(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the working directory: name a Cache for the hosts")
		}
		dir = filepath.Dir(dir)
	}
}
