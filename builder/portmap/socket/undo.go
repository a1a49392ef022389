package socket

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// undo collects how to take back what was done.
type undo struct {
	steps []func() error
	held  []io.Closer
}

func (u *undo) add(step func() error) { u.steps = append(u.steps, step) }

// keep holds what a step needs until close.
func (u *undo) keep(c io.Closer) { u.held = append(u.held, c) }

// run takes back in reverse order, and goes on after a failure: less is left.
func (u *undo) run() error {
	var errs []error
	for i := len(u.steps) - 1; i >= 0; i-- {
		if err := u.steps[i](); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("taking back: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (u *undo) close() {
	for _, c := range u.held {
		_ = c.Close() // programs, which hold nothing back
	}
}
