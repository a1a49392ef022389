// Package stories tells what an operator does with ibforge and what comes
// back, one testdata/*.txtar for each story. The command line is the real one;
// below it stand recorders, so that a story needs neither root nor a network,
// container engine or Ansible.
//
// UPDATE=1 rewrites what the stories expect. Read the difference: it is what
// operators will see.
package stories

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ibforge/ibforge/builder/cli"
	"github.com/ibforge/ibforge/builder/deploy"
	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
	"github.com/ibforge/ibforge/builder/spec"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ibforge": func() { os.Exit(ibforge()) }})
}

func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       os.Getenv("UPDATE") == "1",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "unchanged": unchanged},
		Setup: func(env *testscript.Env) error {
			// Not the store of the machine that runs the tests.
			env.Setenv("IBFORGE_STORE", filepath.Join(env.WorkDir, "store"))
			return nil
		},
	})
}

// exits is "exits STATUS PROGRAM ARG…": exec knows success and failure only.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("the exit status is %d, want %d", got, want)
	}
}

// unchanged is "unchanged ARG…": ibforge ARG… prints what the command before
// has printed.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	before := ts.ReadFile("stdout")
	ts.Check(ts.Exec("ibforge", args...))
	if (ts.ReadFile("stdout") == before) == neg {
		ts.Fatalf("the outputs are equal: %v", neg)
	}
}

// ibforge is the program of the stories. These variables set the scene:
//
//	STORY_STORE=built     the store has all images of the working directory
//	STORY_FAIL_STEP=KIND  the first such step fails, having printed two lines
//	STORY_FAIL_HOST=NAME  the playbook fails on this host
//	STORY_CALLS=FILE      gets what the store and Ansible were asked to do
func ibforge() int {
	ctx := context.Background()
	images := engine.NewRecorder()
	ansible := &deploy.Recorder{Recap: deploy.Recap{Hosts: map[string]deploy.HostStats{"ctl1": {OK: 3, Changed: 1}}}}
	if host := os.Getenv("STORY_FAIL_HOST"); host != "" {
		ansible.Recap.Hosts[host] = deploy.HostStats{Failed: 1}
		ansible.Err = ansible.Recap.Err()
	}
	if os.Getenv("STORY_STORE") == "built" {
		if err := fill(ctx, images); err != nil {
			fmt.Fprintln(os.Stderr, "setting the scene:", err)
			return 99
		}
	}
	store := &failing{images, plan.Kind(os.Getenv("STORY_FAIL_STEP"))}
	code := cli.Main(ctx, os.Args[1:], cli.App{
		Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Arch: "amd64",
		Now:       func() time.Time { return time.Unix(0, 0) },
		OpenStore: func(engine.StoreOptions) (engine.Store, error) { return store, nil },
		Deployer:  ansible,
	})
	if file := os.Getenv("STORY_CALLS"); file != "" {
		if err := os.WriteFile(file, calls(images, ansible), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "writing down the calls:", err)
			return 99
		}
	}
	return code
}

// fill builds the project of the working directory.
func fill(ctx context.Context, images *engine.Recorder) error {
	res, diags := spec.Load(spec.Options{FS: os.DirFS(".")})
	if diags.HasErrors() {
		return diags
	}
	p, err := plan.Make(res.Project, plan.Options{Arch: "amd64"})
	if err != nil {
		return err
	}
	for _, img := range p.Images {
		for _, step := range img.Steps {
			if err := images.Apply(ctx, step, io.Discard); err != nil {
				return err
			}
		}
		if _, err := images.Tag(ctx, img.Key(), img.Reference); err != nil {
			return err
		}
	}
	images.Calls = nil
	return nil
}

// failing is a store in which steps of one kind fail.
type failing struct {
	*engine.Recorder
	kind plan.Kind
}

func (f *failing) Apply(ctx context.Context, step plan.Step, log io.Writer) error {
	if step.Kind != f.kind {
		return f.Recorder.Apply(ctx, step, log)
	}
	fmt.Fprintf(log, "working\nfatal: no space left on device\n")
	return errors.New("exit status 2")
}

// calls are one line each.
func calls(images *engine.Recorder, ansible *deploy.Recorder) []byte {
	var b bytes.Buffer
	for _, c := range images.Calls {
		fmt.Fprintln(&b, c)
	}
	for _, o := range ansible.Calls() {
		raw, err := json.Marshal(struct {
			Playbook, ProjectDir, Limit string
			Inventory, Tags, ExtraVars  []string
			Check, Diff, JSON, Color    bool
			Verbosity                   int
		}{o.Playbook, o.ProjectDir, o.Limit, o.Inventory, o.Tags, o.ExtraVars, o.Check, o.Diff, o.JSON, o.Color, o.Verbosity})
		if err != nil {
			fmt.Fprintln(&b, err)
		}
		fmt.Fprintln(&b, strings.ReplaceAll(string(raw), os.Getenv("WORK"), "$WORK"))
	}
	return b.Bytes()
}
