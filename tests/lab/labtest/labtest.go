// Package labtest starts what package lab has for the length of a test: it
// skips a test that cannot run on this machine, names what is missing, and
// cleans up.
//
// With IBFORGE_TEST_REQUIRE=1 in the environment such a test fails instead: a
// pipeline that is meant to run everything must not pass because of a package
// that somebody forgot to install.
package labtest

import (
	"context"
	"os"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
)

// RequireVariable is the variable that makes a test fail instead of skip.
const RequireVariable = "IBFORGE_TEST_REQUIRE"

// Need skips the test unless all the tools are installed.
func Need(tb testing.TB, tools ...lab.Tool) {
	tb.Helper()
	if err := lab.Missing(tools...); err != nil {
		Unable(tb, err.Error())
	}
}

// NeedRoot skips the test unless it runs as root; what for is part of the
// message.
func NeedRoot(tb testing.TB, what string) {
	tb.Helper()
	if os.Geteuid() != 0 {
		Unable(tb, what+" needs root: run the tests as root")
	}
}

// Unable skips the test for this reason, or fails it where it has to run.
func Unable(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv(RequireVariable) == "1" {
		tb.Fatalf("%s, and %s=1 says that this test has to run", why, RequireVariable)
	}
	tb.Skip(why)
}

// Dir returns a fresh directory with a path short enough for unix sockets,
// which tb.TempDir, having the test's name in it, is not.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "ibf") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("remove %s: %v", dir, err)
		}
	})
	return dir
}

// Engine starts a container engine for the test. Without a Dir it gets a fresh
// one; without a Log, its log is shown if the test fails.
func Engine(tb testing.TB, opts lab.EngineOptions) *lab.Engine {
	tb.Helper()
	Need(tb, lab.EngineTools()...)
	NeedRoot(tb, "a container engine")
	if opts.Dir == "" {
		opts.Dir = Dir(tb)
	}
	if opts.Log == nil {
		opts.Log = logOf(tb, "dockerd")
	}
	e, err := lab.StartEngine(context.Background(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	stopAfter(tb, e.Stop)
	return e
}

// Fabric starts a simulated fabric for the test. Without a Dir it gets a fresh
// one; without a Log, the simulator's messages are shown if the test fails.
func Fabric(tb testing.TB, opts lab.FabricOptions) *lab.Fabric {
	tb.Helper()
	Need(tb, lab.FabricTools()...)
	if opts.Dir == "" {
		opts.Dir = Dir(tb)
	}
	if opts.Log == nil {
		opts.Log = logOf(tb, "ibsim")
	}
	f, err := lab.StartFabric(context.Background(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	stopAfter(tb, f.Stop)
	return f
}

// OpenSM starts an opensm of this machine on a host of the fabric for the
// test.
func OpenSM(tb testing.TB, f *lab.Fabric, host string, args ...string) *lab.OpenSM {
	tb.Helper()
	Need(tb, lab.OpenSMTools()...)
	sm, err := f.StartOpenSM(context.Background(), host, args...)
	if err != nil {
		tb.Fatal(err)
	}
	stopAfter(tb, sm.Stop)
	return sm
}

// Registry starts an image registry for the test.
func Registry(tb testing.TB) *lab.Registry {
	tb.Helper()
	Need(tb, lab.RegistryTools()...)
	r, err := lab.StartRegistry(context.Background(), Dir(tb), logOf(tb, "docker-registry"))
	if err != nil {
		tb.Fatal(err)
	}
	stopAfter(tb, r.Stop)
	return r
}

// stopAfter stops a server when the test is over. The servers get no context
// of the test: that one ends before the test's own clean-up runs.
func stopAfter(tb testing.TB, stop func(context.Context) error) {
	tb.Helper()
	tb.Cleanup(func() {
		if err := stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
}
