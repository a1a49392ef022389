package deploy

import (
	"bufio"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stats is what a run that went well on one host writes.
const stats = `echo '{"_event":"v2_playbook_on_play_start","play":{"name":"p"}}'; echo '{"_event":"v2_playbook_on_stats","stats":{"a":{"ok":1}}}'; `

// TestEnds needs no Ansible: shell scripts stand in for it.
func TestEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("an answer\n"); err != nil {
		t.Fatal(err)
	}
	stdin := os.Stdin
	os.Stdin = r
	t.Cleanup(func() {
		os.Stdin = stdin
		_ = r.Close()
		_ = w.Close()
	})
	tests := []struct{ name, script, want string }{
		{"no interpreter", "#!/nonexistent\n", "start ansible-playbook: "},
		{"ends without a word", "#!/bin/sh\nexit 250\n", "ended with exit status 250"},
		{"killed", "#!/bin/sh\nkill -9 $$\n", "ended with a signal"},
		{"dies after a good recap", "#!/bin/sh\n" + stats + "echo 'ERROR! late' >&2; exit 1\n", "exit status 1:\nERROR! late"},
		{"last line without an end", "#!/bin/sh\nprintf 'ERROR! cut' >&2; exit 1\n", "exit status 1:\nERROR! cut"},
		{"standard input is empty", "#!/bin/sh\nread x && exit 9\n" + stats, ""},
		{"a session of its own", "#!/bin/sh\nread pid comm state ppid pgrp sid rest </proc/$$/stat\n[ $sid = $$ ] || exit 9\n" + stats, ""},
		{"the caller's environment", "#!/bin/sh\n[ \"$SITE$HOME\" = lab ] || exit 9\n" + stats, ""},
		{"the settings", "#!/bin/sh\nenv | grep -q ^ANSIBLE_STDOUT_CALLBACK=ansible.posix.jsonl$ || exit 9\n" + stats, ""},
		{"a very long line", "#!/bin/sh\n" + stats + "head -c 1000000 /dev/zero | tr '\\0' x\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := write(t, t.TempDir(), "ansible-playbook", tt.script, 0o755)
			_, err := Run(context.Background(), Options{
				AnsiblePlaybook: program, Inventory: []string{"a,"}, Environ: []string{"PATH=/usr/bin:/bin", "SITE=lab"},
			})
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCancelReachesTheStubborn(t *testing.T) {
	tests := []struct {
		name, script string
		status       int
	}{
		{"interrupt", `trap 'exit 99' INT; echo ready; while :; do sleep 0.05; done`, 99},
		{"terminate", `trap '' INT; trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done`, 3},
		{"kill", `trap '' INT TERM; echo ready; while :; do sleep 0.05; done`, -1},
		{"a child that stays", `trap 'exit 99' INT; (trap '' INT TERM; echo ready; while :; do sleep 0.05; done) & while :; do sleep 0.05; done`, 99},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			l := &launcher{environ: os.Environ, termAfter: 300 * time.Millisecond, killAfter: 900 * time.Millisecond}
			cmd := l.CommandContext(ctx, "/bin/sh", "-c", tt.script)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(out)
			if line, err := lines.ReadString('\n'); line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			cancel()
			if _, err := io.Copy(io.Discard, lines); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil || l.process.status() != tt.status {
				t.Errorf("status %d, %v; want %d", l.process.status(), err, tt.status)
			}
			// kill(2) returns before the end; the test's own timeout is the limit.
			for membersOf(t, l.process.cmd.Process.Pid) > 0 {
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

// membersOf counts the living processes of a process group, zombies aside:
// whoever inherits them buries them.
func membersOf(t *testing.T, pgrp int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		data, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// proc(5): the name in parentheses may hold blanks.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(pgrp) && fields[0] != "Z" {
			n++
		}
	}
	return n
}
