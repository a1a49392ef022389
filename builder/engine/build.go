package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ibforge/ibforge/builder/plan"
)

// BuildOptions of Build.
type BuildOptions struct {
	// NoCache does every step again, although its key may be known: packages
	// of a suite change while its name does not.
	NoCache bool
	// Log, if not nil, gets the output of all steps as it comes.
	Log io.Writer
	// Now is the clock by which progress is reported.
	Now func() time.Time
}

// Build carries the plan out and returns the images in the plan's order. It
// stops at the first step that fails with a *StepError; what was done before
// stays in the store, so that the next build goes on from there.
func Build(ctx context.Context, e Engine, p plan.Plan, progress Progress, opts BuildOptions) ([]Image, error) {
	made := make([]Image, 0, len(p.Images))
	for _, img := range p.Images {
		if err := buildImage(ctx, e, img, progress, opts); err != nil {
			return made, err
		}
		m, err := e.Tag(ctx, img.Key(), img.Reference)
		if err != nil {
			return made, fmt.Errorf("naming image %q %s: %w", img.Name, img.Reference, err)
		}
		progress.ImageDone(img, m)
		made = append(made, m)
	}
	return made, nil
}

func buildImage(ctx context.Context, e Engine, img plan.Image, progress Progress, opts BuildOptions) error {
	for i, step := range img.Steps {
		if err := ctx.Err(); err != nil {
			return &StepError{img.Name, step, err}
		}
		progress.StepStart(img, step, i+1, len(img.Steps))
		start := opts.Now()
		cached := false
		var err error
		if !opts.NoCache {
			cached, err = e.Has(ctx, step.Key)
		}
		var output bytes.Buffer
		if err == nil && !cached {
			err = e.Apply(ctx, step, tee(&output, opts.Log))
		}
		progress.StepDone(img, step, cached, opts.Now().Sub(start), output.Bytes(), err)
		if err != nil {
			return &StepError{img.Name, step, err}
		}
	}
	return nil
}

func tee(a io.Writer, b io.Writer) io.Writer {
	if b == nil {
		return a
	}
	return io.MultiWriter(a, b)
}
