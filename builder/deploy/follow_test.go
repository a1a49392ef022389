package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// golden compares text with a file below testdata; UPDATE=1 writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// replay follows a recorded event stream in pieces of n bytes, and returns what
// an operator sees.
func replay(t *testing.T, file string, n int, o Options) (*follower, string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o.Stdout, o.Stderr = &out, &out
	f := newFollower(o, &workspace{})
	w := &lineWriter{line: f.line}
	for len(data) > 0 {
		k := min(n, len(data))
		if _, err := w.Write(data[:k]); err != nil {
			t.Fatal(err)
		}
		data = data[k:]
	}
	w.flush()
	f.progress.end()
	f.recap.Duration = 1234 * time.Millisecond
	if err := f.report(o); err != nil {
		t.Fatal(err)
	}
	return f, out.String()
}

// TestRecorded holds the progress and the recap of recorded runs against
// readable goldens; testdata/record.sh made the recordings.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/events/*.jsonl")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl")
		t.Run(name, func(t *testing.T) {
			f, out := replay(t, file, 1000, Options{Diff: strings.HasSuffix(name, "-diff")})
			recap, err := json.MarshalIndent(f.recap, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			failure := "nil"
			if err := f.recap.Err(); err != nil {
				failure = err.Error()
			}
			golden(t, "events/"+name+".txt", out+"-- error\n"+failure+"\n-- recap\n"+string(recap)+"\n")
			if valid := strings.HasPrefix(name, "valid-"); valid != (f.recap.Err() == nil && len(f.recap.Hosts) > 0) {
				t.Errorf("%s ended with %v", name, f.recap.Err())
			}
			if strings.Contains(out, "topsecret") {
				t.Error("no_log did not hide a secret")
			}
			if _, bytewise := replay(t, file, 1, Options{Diff: strings.HasSuffix(name, "-diff")}); bytewise != out {
				t.Errorf("depends on how the stream is cut:\n%s", cmp.Diff(out, bytewise))
			}
		})
	}
}

func TestVerboseShowsTraceback(t *testing.T) {
	const frame = "AnsiballZ_boom.py"
	_, quiet := replay(t, "testdata/events/invalid-module.jsonl", 1000, Options{})
	_, loud := replay(t, "testdata/events/invalid-module.jsonl", 1000, Options{Verbosity: 1})
	if strings.Contains(quiet, frame) || !strings.Contains(quiet, "ValueError: the device vanished") {
		t.Errorf("want the exception without frames:\n%s", quiet)
	}
	if !strings.Contains(loud, frame) {
		t.Errorf("want the frames with -v:\n%s", loud)
	}
}

func TestQuietShowsFailuresAlone(t *testing.T) {
	for _, width := range []int{0, 200} {
		_, all := replay(t, "testdata/events/invalid-task.jsonl", 1000, Options{})
		_, quiet := replay(t, "testdata/events/invalid-task.jsonl", 1000, Options{Quiet: true, Width: width})
		if strings.Contains(quiet, "PLAY") || strings.Count(quiet, "TASK") != strings.Count(quiet, "failed=") || !strings.Contains(quiet, "failed=1") {
			t.Errorf("width %d:\n%s", width, quiet)
		}
		if strings.Count(all, "TASK") <= strings.Count(quiet, "TASK") {
			t.Errorf("nothing was left out of\n%s", all)
		}
	}
}

// screen is what a terminal shows of a text with eraseLine in it.
func screen(text string) string {
	var rows []string
	for _, row := range strings.Split(text, "\n") {
		if i := strings.LastIndex(row, eraseLine); i >= 0 {
			row = row[i+len(eraseLine):]
		}
		rows = append(rows, row)
	}
	return strings.Join(rows, "\n")
}

func TestTerminalEndsLikeAFile(t *testing.T) {
	for _, width := range []int{20, 200} {
		_, plain := replay(t, "testdata/events/invalid-task.jsonl", 1000, Options{})
		_, live := replay(t, "testdata/events/invalid-task.jsonl", 1000, Options{Width: width})
		if diff := cmp.Diff(plain, screen(live)); diff != "" {
			t.Errorf("width %d (-file +terminal):\n%s", width, diff)
		}
		for _, row := range strings.Split(live, "\n") {
			drafts := strings.Split(row, eraseLine)
			for _, draft := range drafts[:len(drafts)-1] {
				if n := len([]rune(draft)); n >= width {
					t.Errorf("width %d: a draft of %d columns cannot be erased: %q", width, n, draft)
				}
			}
		}
	}
}

func TestColor(t *testing.T) {
	_, plain := replay(t, "testdata/events/invalid-task.jsonl", 1000, Options{})
	_, colored := replay(t, "testdata/events/invalid-task.jsonl", 1000, Options{Color: true})
	if !strings.Contains(colored, "\x1b[31mfailed=1\x1b[0m") {
		t.Errorf("failed is not red: %q", colored)
	}
	bare := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[36m", "").Replace(colored)
	if diff := cmp.Diff(plain, bare); diff != "" {
		t.Errorf("colour changes the text:\n%s", diff)
	}
}

func TestJSONKeepsStdoutForTheRecap(t *testing.T) {
	var out, said bytes.Buffer
	o := Options{Stdout: &out, Stderr: &said, JSON: true}
	f := newFollower(o, &workspace{})
	f.line([]byte(`{"_event":"v2_playbook_on_play_start","play":{"name":"p"}}`))
	f.line([]byte(`{"_event":"v2_playbook_on_stats","stats":{"a":{"ok":1}}}`))
	f.progress.end()
	if err := f.report(o); err != nil {
		t.Fatal(err)
	}
	var recap Recap
	if err := json.Unmarshal(out.Bytes(), &recap); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if recap.Hosts["a"].OK != 1 || !strings.Contains(said.String(), "PLAY p") {
		t.Errorf("recap %+v, progress %q", recap, said.String())
	}
}

// TestWordsDoNotBreakALine: a warning arrives while a task's line is open.
func TestWordsDoNotBreakALine(t *testing.T) {
	for _, tt := range []struct {
		width int
		want  string
	}{
		{0, "PLAY p\nTASK t …\n[WARNING]: careful\nTASK t … ok=1\n"},
		{80, "PLAY p\n[WARNING]: careful\nTASK t … ok=1\n"},
	} {
		var out bytes.Buffer
		f := newFollower(Options{Stdout: &out, Stderr: &out, Width: tt.width}, &workspace{})
		f.line([]byte(`{"_event":"v2_playbook_on_play_start","play":{"name":"p"}}`))
		f.line([]byte(`{"_event":"v2_playbook_on_task_start","task":{"id":"1","name":"t"}}`))
		f.words.line([]byte("[WARNING]: careful"))
		f.line([]byte(`{"_event":"v2_runner_on_ok","task":{"id":"1","name":"t"},"hosts":{"a":{}}}`))
		f.progress.end()
		if diff := cmp.Diff(tt.want, screen(out.String())); diff != "" {
			t.Errorf("width %d (-want +got):\n%s", tt.width, diff)
		}
	}
}

func TestLinesThatAreNoEvents(t *testing.T) {
	var out bytes.Buffer
	f := newFollower(Options{Stdout: &out, Stderr: &out}, &workspace{link: "/tmp/x/fabric", target: "/src/ibforge"})
	f.line([]byte("Playbook run took 0 days in /tmp/x/fabric/roles"))
	f.line([]byte(`{"_event":"v2_runner_on_ok","hosts":{"a":{"n":NaN,"secret":"s"}}}`))
	f.line([]byte(`  `))
	if diff := cmp.Diff("Playbook run took 0 days in /src/ibforge/roles\n", out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		name  string
		say   []string // "-" stands for the begin of a play
		shown []string
		rest  string
	}{
		{"nothing runs", []string{"[WARNING]: a", "ERROR! b", "c"}, nil, "[WARNING]: a\nERROR! b\nc"},
		{"warnings", []string{"[WARNING]: a", "-", "[WARNING]: b"}, []string{"[WARNING]: a", "[WARNING]: b"}, ""},
		{"error while it runs", []string{"-", "a", "[ERROR]: b", "c"}, []string{"a"}, "[ERROR]: b\nc"},
		{"error overtakes the begin", []string{"a", "ERROR! b", "-", "c", "-", "d"}, []string{"a"}, "ERROR! b\nc\nd"},
	}
	for _, tt := range tests {
		for _, forError := range []bool{true, false} {
			var shown []string
			w := newWords(func(text string) { shown = append(shown, text) })
			for _, text := range tt.say {
				if text == "-" {
					w.started()
					continue
				}
				w.line([]byte(text))
			}
			rest, want, wantShown := w.rest(forError), tt.rest, tt.shown
			if !forError && want != "" {
				wantShown, want = append(wantShown[:len(wantShown):len(wantShown)], strings.Split(want, "\n")...), ""
			}
			if diff := cmp.Diff(wantShown, shown); diff != "" || rest != want {
				t.Errorf("%s, for an error: %t: rest %q, shown (-want +got):\n%s", tt.name, forError, rest, diff)
			}
		}
	}
}
