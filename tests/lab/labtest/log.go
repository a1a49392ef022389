package labtest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// shownLines of a server's log are enough to see what it died of. What went
// wrong in the test is said above them, and must not be pushed out of sight.
const shownLines = 60

// logOf returns a writer whose end is shown if the test fails.
func logOf(tb testing.TB, name string) *failureLog {
	tb.Helper()
	l := &failureLog{}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s:\n%s", name, l)
		}
	})
	return l
}

type failureLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *failureLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns the last lines, equal neighbours as one: ibsim repeats itself
// hundreds of times when a subnet manager was killed.
func (l *failureLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return lastLines(l.buf.String(), shownLines)
}

func lastLines(text string, most int) string {
	var out []string
	times := 0
	previous := ""
	flush := func() {
		switch {
		case times == 1:
			out = append(out, previous)
		case times > 1:
			out = append(out, fmt.Sprintf("%s (%d times)", previous, times))
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if times > 0 && line == previous {
			times++
			continue
		}
		flush()
		previous, times = line, 1
	}
	flush()
	if over := len(out) - most; over > 0 {
		out = append([]string{fmt.Sprintf("(%d lines before)", over)}, out[over:]...)
	}
	return strings.Join(out, "\n")
}
