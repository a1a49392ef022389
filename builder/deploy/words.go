package deploy

import (
	"bytes"
	"strings"
	"sync"
)

// lineWriter calls line with each line that is written to it, without its end.
// It never fails: a reader that stops would block ansible-playbook.
type lineWriter struct {
	line    func([]byte)
	partial []byte
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.partial = append(w.partial, p...)
	for {
		i := bytes.IndexByte(w.partial, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.line(bytes.TrimSuffix(w.partial[:i], []byte("\r")))
		w.partial = w.partial[i+1:]
	}
}

// flush passes on a last line that has no end.
func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.line(w.partial)
		w.partial = nil
	}
}

// words keeps what Ansible says on standard error until it is clear who tells
// the operator: the progress, or the error that Run returns. Never both.
//
// Until the first event everything is kept; after that only what follows the
// beginning of an error, since warnings belong next to the task.
type words struct {
	mu      sync.Mutex
	show    func(string)
	kept    []string
	running bool // a play has begun
	// failing says that an error has begun, at kept[failedAt].
	failing  bool
	failedAt int
}

func newWords(show func(string)) *words { return &words{show: show} }

func (w *words) line(p []byte) {
	text := string(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, start := range []string{"ERROR!", "[ERROR]", "Traceback (most recent call last)"} {
		if !w.failing && strings.HasPrefix(text, start) {
			w.failing, w.failedAt = true, len(w.kept)
		}
	}
	if w.running && !w.failing {
		w.show(text)
		return
	}
	w.kept = append(w.kept, text)
}

// started says that a play has begun, so that what is kept are warnings. The
// beginning of an error may be among them: the two streams are read apart.
func (w *words) started() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = true
	warnings := len(w.kept)
	if w.failing {
		warnings, w.failedAt = w.failedAt, 0
	}
	w.release(warnings)
}

// rest ends the keeping. It returns what is kept if that is for an error, and
// shows it if not.
func (w *words) rest(forError bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !forError {
		w.release(len(w.kept))
	}
	return strings.TrimSpace(strings.Join(w.kept, "\n"))
}

func (w *words) release(n int) {
	for _, text := range w.kept[:n] {
		w.show(text)
	}
	w.kept = w.kept[n:]
}
