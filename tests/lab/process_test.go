package lab

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func start(t *testing.T, script string) *process {
	t.Helper()
	p, err := startProcess("sh", command{argv: []string{"/bin/sh", "-c", script}, deathSignal: syscall.SIGKILL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.kill() })
	return p
}

// awaitOutput returns when the process has written the text.
func awaitOutput(t *testing.T, p *process, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := poll(ctx, p, func(context.Context) error {
		if strings.Contains(p.out.String(), text) {
			return nil
		}
		return errNotYet
	})
	if err != nil {
		t.Fatal(err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStopAsksThenReturns(t *testing.T) {
	p := start(t, `trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	awaitOutput(t, p, "up")
	if err := p.stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.out.String(), "bye") {
		t.Error("the process was killed without being asked")
	}
}

// A context that has ended makes stop kill at once, and what the server had
// started in its process group goes with it.
func TestStopKillsTheGroup(t *testing.T) {
	p := start(t, `trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo "child $!."; wait; wait`)
	awaitOutput(t, p, ".")
	text := strings.TrimSpace(p.out.String())
	child, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(text, "child "), "."))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.stop(ctx); err != nil {
		t.Fatal(err)
	}
	if !eventuallyGone(child) {
		t.Errorf("process %d outlives its group", child)
	}
}

// eventuallyGone waits for a process that has been killed, which init reaps.
func eventuallyGone(pid int) bool {
	for deadline := time.Now().Add(time.Minute); alive(pid) && time.Now().Before(deadline); time.Sleep(pollInterval) {
		if _, zombie := parentOf(pid); zombie {
			return true
		}
	}
	return !alive(pid)
}

func TestEndedEarlyQuotesTheOutput(t *testing.T) {
	p := start(t, `echo "cannot bind" >&2; exit 3`)
	<-p.done
	err := p.stop(context.Background())
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "cannot bind") {
		t.Errorf("error %v", err)
	}
}

// The tail keeps the end, however much is written.
func TestTailKeepsTheEnd(t *testing.T) {
	tl := &tail{}
	for i := range 5000 {
		if _, err := tl.Write([]byte(strconv.Itoa(i) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got := tl.String(); len(got) != tailSize || !strings.HasSuffix(got, "4998\n4999\n") {
		t.Errorf("%d bytes that end in %q", len(got), got[max(0, len(got)-20):])
	}
}

const orphanVariable = "IBFORGE_TEST_ORPHAN"

// A parent that dies without a word takes its children along: this test runs
// itself as that parent, kills it, and looks for the child.
func TestChildDiesWithItsParent(t *testing.T) {
	if os.Getenv(orphanVariable) == "1" {
		p := start(t, "echo up; exec sleep 600")
		awaitOutput(t, p, "up")
		_, _ = os.Stdout.WriteString("child " + strconv.Itoa(p.cmd.Process.Pid) + ".\n")
		select {}
	}
	parent, err := startProcess("parent", command{
		argv: []string{os.Args[0], "-test.run=^TestChildDiesWithItsParent$"},
		env:  append(os.Environ(), orphanVariable+"=1"), deathSignal: syscall.SIGKILL,
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitOutput(t, parent, ".\n")
	_, rest, _ := strings.Cut(parent.out.String(), "child ")
	number, _, _ := strings.Cut(rest, ".")
	child, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("the parent wrote %q", parent.out)
	}
	if !alive(child) {
		t.Fatalf("child %d is not there", child)
	}
	if err := syscall.Kill(parent.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-parent.done
	if !eventuallyGone(child) {
		t.Errorf("child %d outlives its parent", child)
	}
}

func TestMissingNamesThePackage(t *testing.T) {
	err := Missing(Tool{"sh", "dash"}, Tool{"no-such-program", "no-such-package"}, Tool{"/no/such/file", "other"})
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.Tools) != 2 {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"no-such-program (Debian package no-such-package)", "install", "no-such-package other"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if err := Missing(Tool{"sh", "dash"}); err != nil {
		t.Error(err)
	}
}
