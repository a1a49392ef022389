package deploy

import (
	"context"
	"slices"
	"sync"
)

// Recorder is a Runner that runs nothing: it keeps what it was asked for and
// answers with Recap and Err.
type Recorder struct {
	Recap Recap
	Err   error

	mu    sync.Mutex
	calls []Options
}

// Run implements Runner.
func (r *Recorder) Run(_ context.Context, o Options) (Recap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, o)
	return r.Recap, r.Err
}

// Calls returns the Options of every run, in order.
func (r *Recorder) Calls() []Options {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}
