package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ibforge/ibforge/builder/engine"
)

// onTerminal runs ibforge with standard error on a terminal of 60 columns, and
// gives what the terminal got.
func onTerminal(t *testing.T, args []string, environ ...string) string {
	t.Helper()
	keyboard, screen := openTerminal(t, 60)
	got := make(chan string)
	go func() {
		var b bytes.Buffer
		// The terminal ends with EIO once the program has closed it, pty(7).
		if _, err := io.Copy(&b, keyboard); err != nil && !errors.Is(err, syscall.EIO) {
			fmt.Fprintf(&b, "reading the terminal: %v", err)
		}
		got <- b.String()
	}()
	Main(t.Context(), args, newApp(engine.NewRecorder(), io.Discard, screen, environ...))
	if err := screen.Close(); err != nil {
		t.Error(err)
	}
	return strings.ReplaceAll(<-got, "\r\n", "\n")
}

func openTerminal(t *testing.T, columns uint16) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() }) // a test may have closed it
	fd := int(keyboard.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err == nil {
		screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, screen
}

func TestColours(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "images", "a", "image.ibforge.hcl")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("image \"a\" {\n  description = \"A\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	validate := []string{"validate", "-C", dir}
	for _, c := range []struct {
		name     string
		args     []string
		environ  []string
		coloured bool
	}{
		{"a terminal", validate, nil, true},
		{"an empty NO_COLOR is none, no-color.org", validate, []string{"NO_COLOR="}, true},
		{"NO_COLOR", validate, []string{"NO_COLOR=1"}, false},
		{"--no-color", append(validate, "--no-color"), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := onTerminal(t, c.args, c.environ...)
			if strings.Contains(got, "\x1b[") != c.coloured || !strings.Contains(got, "Neither from nor bootstrap") {
				t.Errorf("coloured is to be %v:\n%q", c.coloured, got)
			}
			// Of 60 columns, as long as no escape sequences are counted.
			for l := range strings.Lines(got) {
				if !c.coloured && len(strings.TrimSpace(l)) > 60 {
					t.Errorf("a line is wider than the terminal: %q", l)
				}
			}
		})
	}
}

// On a terminal the step that runs is on show; when it is done, its line is
// written over.
func TestProgressOnATerminal(t *testing.T) {
	build := []string{"build", "-C", project(t)}
	got := onTerminal(t, build)
	lines := strings.Split(got, "\n")
	if len(lines) != 5 {
		t.Fatalf("want one line for each of 4 steps:\n%q", got)
	}
	for _, l := range lines[:4] {
		running, done, ok := strings.Cut(l, "\r")
		if !ok || strings.TrimRight(running, " ") == "" || !strings.HasPrefix(done, running) || !strings.HasSuffix(done, "0.0s") {
			t.Errorf("a step that runs is not written over by one that is done: %q", l)
		}
	}
	for _, more := range []string{"-q", "-v"} {
		if got := onTerminal(t, append(build, more)); strings.Contains(strings.ReplaceAll(got, "\r\n", "\n"), "\r") {
			t.Errorf("%s: a line is left open: %q", more, got)
		}
	}
}
