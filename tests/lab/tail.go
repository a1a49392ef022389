package lab

import (
	"io"
	"strings"
	"sync"
)

// tailSize is how much of a child's output is kept for error messages.
const tailSize = 4096

// tail is a writer that keeps the end of what is written to it, and hands all
// of it on. It never fails: a log that cannot be written must not end a server
// by SIGPIPE.
type tail struct {
	also io.Writer // may be nil

	mu  sync.Mutex
	buf []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	if t.also != nil {
		_, _ = t.also.Write(p)
	}
	return len(p), nil
}

// String returns what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// quote returns the end of the output as indented lines to append to an error
// message, and nothing if there is no output.
func (t *tail) quote() string {
	text := strings.TrimSpace(t.String())
	if text == "" {
		return "; it wrote nothing"
	}
	return "; its last output:\n\t" + strings.ReplaceAll(text, "\n", "\n\t")
}
