package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
	"github.com/ibforge/ibforge/builder/spec"
)

const project = `
image "base" {
  description = "Base"
  bootstrap "debian" {
    suite    = "bookworm"
    packages = ["systemd"]
  }
}
image "svc" {
  description = "Service"
  from        = image.base
  packages    = ["PACKAGE"]
  run "setup" { command = ["/bin/true"] }
  runtime {}
}
`

// makePlan plans base and svc; svc installs the package.
func makePlan(t *testing.T, pkg string) plan.Plan {
	t.Helper()
	res, diags := spec.Load(spec.Options{FS: fstest.MapFS{
		"images/all/image.ibforge.hcl": {Data: []byte(strings.Replace(project, "PACKAGE", pkg, 1))},
	}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	p, err := plan.Make(res.Project, plan.Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// told is a Progress that writes down what it is told.
type told struct{ lines []string }

func (p *told) StepStart(img plan.Image, step plan.Step, n, total int) {
	p.lines = append(p.lines, fmt.Sprintf("start %s %d/%d %s", img.Name, n, total, step.Kind))
}

func (p *told) StepDone(img plan.Image, step plan.Step, cached bool, took time.Duration, output []byte, err error) {
	p.lines = append(p.lines, fmt.Sprintf("done %s %s cached=%v took=%s output=%q err=%v", img.Name, step.Kind, cached, took, output, err))
}

func (p *told) ImageDone(img plan.Image, made engine.Image) {
	p.lines = append(p.lines, fmt.Sprintf("image %s %s", img.Name, made.Reference))
}

// clock goes one second further each time it is asked.
func clock() func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

func build(ctx context.Context, e engine.Engine, p plan.Plan, opts engine.BuildOptions) ([]engine.Image, []string, error) {
	opts.Now = clock()
	progress := &told{}
	made, err := engine.Build(ctx, e, p, progress, opts)
	return made, progress.lines, err
}

func equal(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestBuildInOrder(t *testing.T) {
	r, p := engine.NewRecorder(), makePlan(t, "opensm")
	var log bytes.Buffer
	made, lines, err := build(t.Context(), r, p, engine.BuildOptions{Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	base, svc := p.Images[0].Reference, p.Images[1].Reference
	equal(t, "calls", []string{
		"apply bootstrap debian bookworm (essential) systemd", "apply config, 3 labels", "tag " + base,
		"apply packages opensm", "apply run setup: /bin/true", "apply config, 4 labels", "tag " + svc,
	}, r.Calls)
	equal(t, "progress", []string{
		"start base 1/2 bootstrap",
		`done base bootstrap cached=false took=1s output="recorded bootstrap debian bookworm (essential) systemd\n" err=<nil>`,
		"start base 2/2 config",
		`done base config cached=false took=1s output="recorded config, 3 labels\n" err=<nil>`,
		"image base " + base,
		"start svc 1/3 packages",
		`done svc packages cached=false took=1s output="recorded packages opensm\n" err=<nil>`,
		"start svc 2/3 run",
		`done svc run cached=false took=1s output="recorded run setup: /bin/true\n" err=<nil>`,
		"start svc 3/3 config",
		`done svc config cached=false took=1s output="recorded config, 4 labels\n" err=<nil>`,
		"image svc " + svc,
	}, lines)
	if len(made) != 2 || made[0].Name != "base" || made[1].Name != "svc" || made[0].Contract != nil || made[1].Contract == nil {
		t.Errorf("made: %+v", made)
	}
	if n := strings.Count(log.String(), "\n"); n != 5 {
		t.Errorf("the log has %d lines, want one for each step:\n%s", n, &log)
	}
}

func TestKnownStepsAreNotDoneAgain(t *testing.T) {
	r := engine.NewRecorder()
	first, _, err := build(t.Context(), r, makePlan(t, "opensm"), engine.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, pkg string
		opts      engine.BuildOptions
		want      []string
	}{
		{"the same", "opensm", engine.BuildOptions{}, nil},
		{"a changed child", "ibutils", engine.BuildOptions{}, []string{"packages ibutils", "run setup: /bin/true", "config, 4 labels"}},
		{"no cache", "opensm", engine.BuildOptions{NoCache: true}, []string{"bootstrap debian bookworm (essential) systemd", "config, 3 labels", "packages opensm", "run setup: /bin/true", "config, 4 labels"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.Calls = nil
			made, lines, err := build(t.Context(), r, makePlan(t, c.pkg), c.opts)
			if err != nil {
				t.Fatal(err)
			}
			var applied []string
			for _, call := range r.Calls {
				if step, ok := strings.CutPrefix(call, "apply "); ok {
					applied = append(applied, step)
				}
			}
			equal(t, "applied", c.want, applied)
			cached := 0
			for _, l := range lines {
				if strings.Contains(l, "cached=true") {
					cached++
				}
			}
			if cached != 5-len(c.want) {
				t.Errorf("%d steps are said to be cached, want %d", cached, 5-len(c.want))
			}
			// A name may have been taken away, so each image is named each time.
			if len(made) != 2 || made[0].ID != first[0].ID || (made[1].ID == first[1].ID) != (c.pkg == "opensm") {
				t.Errorf("made %+v", made)
			}
		})
	}
}

func TestFailureStopsAndTheNextBuildGoesOn(t *testing.T) {
	r, p := engine.NewRecorder(), makePlan(t, "opensm")
	cause := errors.New("no space left on device")
	r.Fail[plan.KindRun] = cause
	made, lines, err := build(t.Context(), r, p, engine.BuildOptions{})

	var step *engine.StepError
	if !errors.As(err, &step) || !errors.Is(err, cause) {
		t.Fatalf("the error is %v, want a StepError that wraps the cause", err)
	}
	if step.Image != "svc" || step.Step.Key != p.Images[1].Steps[1].Key {
		t.Errorf("the StepError is about %s, %s", step.Image, step.Step.Summary)
	}
	if want := `image "svc", step "run setup: /bin/true": no space left on device`; err.Error() != want {
		t.Errorf("got %s\nwant %s", err, want)
	}
	if len(made) != 1 || made[0].Name != "base" {
		t.Errorf("made %+v, want base alone", made)
	}
	if last := lines[len(lines)-1]; last != `done svc run cached=false took=1s output="" err=no space left on device` {
		t.Errorf("the last thing told is %s", last)
	}

	r.Calls = nil
	if _, _, err := build(t.Context(), r, p, engine.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	equal(t, "calls of the next build", []string{
		"tag " + p.Images[0].Reference, "apply run setup: /bin/true", "apply config, 4 labels", "tag " + p.Images[1].Reference,
	}, r.Calls)
}

// stopping cancels the build while a step of its kind is being done.
type stopping struct {
	*engine.Recorder
	kind   plan.Kind
	cancel context.CancelFunc
}

func (s stopping) Apply(ctx context.Context, step plan.Step, log io.Writer) error {
	if step.Kind == s.kind {
		s.cancel()
	}
	return s.Recorder.Apply(ctx, step, log)
}

// A step that finishes although the build was cancelled is kept; none follows.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, p := engine.NewRecorder(), makePlan(t, "opensm")
	_, lines, err := build(ctx, stopping{r, plan.KindPackages, cancel}, p, engine.BuildOptions{})
	var step *engine.StepError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &step) || step.Step.Kind != plan.KindRun {
		t.Errorf("the error is %v, want a StepError of the run step that wraps context.Canceled", err)
	}
	if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "start svc 2/3") }) {
		t.Error("a step was started after the end of the context")
	}
	if known, err := r.Has(t.Context(), p.Images[1].Steps[0].Key); !known || err != nil {
		t.Errorf("the finished step is lost: %v, %v", known, err)
	}
}

// broken is a store that cannot be read, or cannot name images.
type broken struct {
	*engine.Recorder
	has, tag error
}

func (b broken) Has(ctx context.Context, key string) (bool, error) {
	known, err := b.Recorder.Has(ctx, key)
	return known, errors.Join(err, b.has)
}

func (b broken) Tag(ctx context.Context, key, reference string) (engine.Image, error) {
	if b.tag != nil {
		return engine.Image{}, b.tag
	}
	return b.Recorder.Tag(ctx, key, reference)
}

func TestBrokenStore(t *testing.T) {
	cause := errors.New("input/output error")
	p := makePlan(t, "opensm")
	for _, c := range []struct {
		name  string
		store broken
		want  string
		calls int
	}{
		{"cannot look up", broken{has: cause}, `image "base", step "bootstrap debian bookworm (essential) systemd": input/output error`, 0},
		{"cannot name", broken{tag: cause}, `naming image "base" ` + p.Images[0].Reference + ": input/output error", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.store.Recorder = engine.NewRecorder()
			made, _, err := build(t.Context(), c.store, p, engine.BuildOptions{})
			if !errors.Is(err, cause) || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			if len(made) != 0 || len(c.store.Calls) != c.calls {
				t.Errorf("made %d images with %d calls, want none with %d", len(made), len(c.store.Calls), c.calls)
			}
		})
	}
}
