package labtest

import (
	"context"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
)

// Podman prepares a podman for the test. Without a Dir it gets a fresh one;
// without a Log, its keeper's messages are shown if the test fails.
func Podman(tb testing.TB, opts lab.PodmanOptions) *lab.Podman {
	tb.Helper()
	Need(tb, lab.PodmanTools()...)
	NeedRoot(tb, "podman with the host's network")
	if opts.Dir == "" {
		opts.Dir = Dir(tb)
	}
	if opts.Log == nil {
		opts.Log = logOf(tb, "podman's keeper")
	}
	p, err := lab.StartPodman(context.Background(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	stopAfter(tb, p.Stop)
	return p
}
