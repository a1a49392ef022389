package lab

import (
	"context"
	"errors"
	"sync"
)

// life makes a server's stop happen once, whoever asks for it: the owner, the
// end of the start's context, or both at the same time.
type life struct {
	once sync.Once
	err  error

	mu     sync.Mutex
	detach func() bool
}

// bind makes the end of ctx stop the server.
func (l *life) bind(ctx context.Context, stop func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detach = context.AfterFunc(ctx, func() { _ = stop(ctx) })
}

// end runs stop if it is the first to be called, and returns the result of the
// first stop when that is over.
func (l *life) end(stop func() error) error {
	l.once.Do(func() {
		l.mu.Lock()
		detach := l.detach
		l.mu.Unlock()
		if detach != nil {
			detach()
		}
		l.err = stop()
	})
	return l.err
}

// failedStart joins the error of a start with that of the clean-up after it,
// which would only say again that the server ended by itself.
func failedStart(start, cleanup error) error {
	if errors.Is(start, errEnded) && errors.Is(cleanup, errEnded) {
		return start
	}
	return errors.Join(start, cleanup)
}
