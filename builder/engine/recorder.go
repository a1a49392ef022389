package engine

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/plan"
)

// Recorder is a Store for tests: it knows keys and names, makes no image, and
// remembers what it was asked to do.
type Recorder struct {
	// Calls in order, such as "apply packages opensm".
	Calls []string
	// Fail, by step kind, is what Apply returns for the first such step.
	Fail map[plan.Kind]error

	done   map[string]plan.Step
	tagged map[string]Image
}

// NewRecorder gives an empty one.
func NewRecorder() *Recorder {
	return &Recorder{Fail: map[plan.Kind]error{}, done: map[string]plan.Step{}, tagged: map[string]Image{}}
}

// Has implements Engine.
func (r *Recorder) Has(_ context.Context, key string) (bool, error) {
	_, ok := r.done[key]
	return ok, nil
}

// Apply implements Engine.
func (r *Recorder) Apply(_ context.Context, step plan.Step, log io.Writer) error {
	r.Calls = append(r.Calls, "apply "+step.Summary)
	if _, ok := r.done[step.ParentKey]; step.ParentKey != "" && !ok {
		return fmt.Errorf("the recorder has no result for the parent key %s of step %q", step.ParentKey, step.Summary)
	}
	if err := r.Fail[step.Kind]; err != nil {
		delete(r.Fail, step.Kind)
		return err
	}
	fmt.Fprintf(log, "recorded %s\n", step.Summary)
	r.done[step.Key] = step
	return nil
}

// Tag implements Engine.
func (r *Recorder) Tag(_ context.Context, key, reference string) (Image, error) {
	step, ok := r.done[key]
	if !ok {
		return Image{}, fmt.Errorf("the recorder has no result for key %s", key)
	}
	r.Calls = append(r.Calls, "tag "+reference)
	name, _, _ := strings.Cut(strings.TrimPrefix(reference, plan.Repository+"/"), ":")
	img := Image{Name: name, Reference: reference, ID: "sha256:" + key, Digest: "sha256:" + key, Layers: r.layers(step)}
	if cfg, ok := step.Op.(plan.Config); ok {
		img.Labels = maps.Clone(cfg.Labels)
		if raw, ok := cfg.Labels[contract.Label]; ok {
			c, err := contract.Parse([]byte(raw))
			if err != nil {
				return Image{}, err
			}
			img.Contract = &c
		}
	}
	r.tagged[name] = img
	return img, nil
}

// layers are those that an engine would make for the step and all before it; a
// layer's digest is the key of its step, and it is empty.
func (r *Recorder) layers(last plan.Step) []Layer {
	layers := []Layer{}
	for step, ok := last, true; ok; step, ok = r.done[step.ParentKey] {
		l := Layer{Step: step.Summary, Key: step.Key}
		if step.Kind != plan.KindConfig {
			l.DiffID = "sha256:" + step.Key
		}
		layers = append(layers, l)
	}
	slices.Reverse(layers)
	return layers
}

// Lock implements Store.
func (r *Recorder) Lock(context.Context, func(string)) (func(), error) {
	r.Calls = append(r.Calls, "lock")
	return func() { r.Calls = append(r.Calls, "unlock") }, nil
}

// Inspect implements Store.
func (r *Recorder) Inspect(_ context.Context, name string) (Image, error) {
	if img, ok := r.tagged[name]; ok {
		return img, nil
	}
	for _, img := range r.tagged {
		if name == img.Reference || name == img.ID {
			return img, nil
		}
	}
	return Image{}, &NotFoundError{Name: name, Known: slices.Sorted(maps.Keys(r.tagged))}
}

// Push implements Store.
func (r *Recorder) Push(ctx context.Context, name, dest string, _ PushOptions) (string, error) {
	img, err := r.Inspect(ctx, name)
	if err != nil {
		return "", err
	}
	r.Calls = append(r.Calls, "push "+name+" "+dest)
	return img.Digest, nil
}

// DockerArchive implements Store.
func (r *Recorder) DockerArchive(ctx context.Context, name string, w io.Writer) error {
	if _, err := r.Inspect(ctx, name); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "recorded archive of "+name); err != nil {
		return fmt.Errorf("writing the recorded archive of %s: %w", name, err)
	}
	return nil
}

// Close implements Store.
func (r *Recorder) Close() error { return nil }

// NotFoundError says that the store has no image of that name.
type NotFoundError struct {
	Name  string
	Known []string
}

func (e *NotFoundError) Error() string {
	cure := "ibforge build"
	if !strings.ContainsAny(e.Name, "/:") { // else a reference or an ID, which build does not take
		cure += " " + e.Name
	}
	if len(e.Known) == 0 {
		return fmt.Sprintf("the store has no image %q, nor any other: build it first with `%s`", e.Name, cure)
	}
	return fmt.Sprintf("the store has no image %q; it has %s: build it first with `%s`", e.Name, strings.Join(e.Known, ", "), cure)
}
