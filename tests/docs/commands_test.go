package docs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ibforge/ibforge/builder/cli"
	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/builder/engine"
)

// What the documents call a target of make is one.
func TestMakeTargets(t *testing.T) {
	makefile := read(t, "Makefile").text
	mention := regexp.MustCompile("(?m)(?:`|^|\\$ )make ([a-z][a-z0-9-]*)")
	found := map[string]bool{}
	for _, d := range documents(t) {
		for _, m := range mention.FindAllStringSubmatch(d.text, -1) {
			found[m[1]] = true
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).MatchString(makefile) {
				t.Errorf("%s speaks of make %s, which is no target", d.name, m[1])
			}
		}
	}
	for _, target := range []string{"demo", "test", "unit", "e2e", "lint", "golden"} {
		if !found[target] {
			t.Errorf("no document speaks of make %s", target)
		}
	}
}

// call is one command line of a document.
type call struct {
	where string
	args  []string
	// fails tells that the document shows an error.
	fails bool
}

// calls are the command lines that run ibforge.
func calls(t *testing.T) []call {
	t.Helper()
	var out []call
	for _, d := range documents(t) {
		blocks, _ := d.blocks()
		for _, b := range blocks {
			if b.info != "sh" && b.info != "console" {
				continue
			}
			for _, line := range strings.Split(strings.ReplaceAll(b.text, "\\\n", " "), "\n") {
				command, prompt := strings.CutPrefix(line, "$ ")
				if b.info == "console" && !prompt {
					continue // output
				}
				for _, args := range ibforge(command) {
					out = append(out, call{example{d, b}.place(), args, strings.Contains(b.text, "\nError: ")})
				}
			}
		}
	}
	return out
}

// ibforge gives the arguments of each call in a line of shell.
func ibforge(line string) [][]string {
	var out [][]string
	line, _, _ = strings.Cut(line, " #")
	for _, command := range regexp.MustCompile(`&&|\|+|;`).Split(line, -1) {
		fields := strings.Fields(command)
		i := slices.IndexFunc(fields, func(f string) bool { return filepath.Base(f) == "ibforge" })
		if i < 0 || i > 0 && fields[0] != "sudo" && fields[0] != "time" {
			continue // no call, or ibforge is an argument of something else
		}
		var args []string
		for _, f := range fields[i+1:] {
			args = append(args, strings.Trim(strings.ReplaceAll(f, "$PWD", "/srv"), `'"`))
		}
		out = append(out, args)
	}
	return out
}

// world is a copy of this project, all of it built in a Recorder.
type world struct {
	dir   string
	store *engine.Recorder
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{t.TempDir(), engine.NewRecorder()}
	if err := os.CopyFS(filepath.Join(w.dir, "images"), os.DirFS(filepath.Join(repository, "images"))); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := w.run(t.Context(), "build"); code != cli.ExitOK {
		t.Fatalf("the scene cannot be set: %s", stderr)
	}
	// A Kayobe configuration as far as ibforge looks at one.
	for _, name := range []string{"kolla.yml", "networks.yml", "inventory/hosts"} {
		name = filepath.Join(w.kayobe(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("---\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w world) kayobe() string { return filepath.Join(w.dir, "etc/kayobe") }

func (w world) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	// Its repository is where the reader of a document stands.
	args = slices.Clone(args)
	if i := slices.Index(args, "etc/kayobe"); i >= 0 {
		args[i] = w.kayobe()
	}
	code = cli.Main(ctx, append([]string{"-C", w.dir}, args...), cli.App{
		Stdout: &out, Stderr: &errs, Arch: "amd64", Environ: []string{"KAYOBE_CONFIG_PATH=" + w.kayobe()},
		Now:       func() time.Time { return time.Unix(0, 0) },
		OpenStore: func(engine.StoreOptions) (engine.Store, error) { return w.store, nil },
		Deployer:  &deploy.Recorder{},
	})
	return code, out.String(), errs.String()
}

// Every command line is one that ibforge takes, down to the names of images.
func TestCommandLines(t *testing.T) {
	found := map[string]bool{}
	for _, c := range calls(t) {
		found[c.args[0]] = true
		t.Run(c.where+" "+strings.Join(c.args, " "), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			want := cli.ExitOK
			if c.fails {
				want = cli.ExitFailed
			}
			if c.args[0] == "verify" {
				// An engine of this machine is none of the test's business. What
				// is wrong with the line is told before one is asked.
				cancel()
				want = cli.ExitFailed
			}
			code, _, stderr := newWorld(t).run(ctx, c.args...)
			if c.args[0] == "kayobe" && code == cli.ExitFailed && (c.args[1] == "check" || c.args[1] == "diff") {
				want = code // what is to be found in an operator's own configuration
			}
			if code != want {
				t.Errorf("the exit code is %d, want %d\n%s", code, want, stderr)
			}
		})
	}
	for _, verb := range []string{"validate", "plan", "build", "verify", "inspect", "push", "deploy", "portmap", "kayobe"} {
		if !found[verb] {
			t.Errorf("no document has an example of ibforge %s", verb)
		}
	}
}

// Flags are named in prose and tables too.
func TestFlagsInProse(t *testing.T) {
	w := world{t.TempDir(), engine.NewRecorder()}
	var help strings.Builder
	for _, verb := range []string{
		"validate", "plan", "build", "verify", "inspect", "push", "deploy", "portmap", "version",
		"kayobe install", "kayobe diff", "kayobe check", "kayobe remove",
	} {
		code, text, stderr := w.run(t.Context(), append(strings.Fields(verb), "--help")...)
		if code != cli.ExitOK {
			t.Fatal(stderr)
		}
		help.WriteString(text)
	}
	// Of other programs, and one that the text says is not there.
	others := []string{"--force-depends", "--no-block", "--log_file", "--hook-dir", "--check", "--skip-hooks", "--kolla-tags", "--yes-i-really-really-mean-it"}
	for _, d := range documents(t) {
		_, prose := d.blocks()
		for _, m := range regexp.MustCompile("`(--[a-z][a-z_-]+)").FindAllStringSubmatch(strings.Join(prose, "\n"), -1) {
			if !slices.Contains(others, m[1]) && !regexp.MustCompile(m[1]+`\b`).MatchString(help.String()) {
				t.Errorf("%s names the flag %s, which no verb has", d.name, m[1])
			}
		}
	}
}
