package engine_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/engine"
)

var _ engine.Store = (*engine.Recorder)(nil)

// The Recorder must answer as a store does, or what is tested with it says
// nothing about one.
func TestRecorderIsAStore(t *testing.T) {
	r, p := engine.NewRecorder(), makePlan(t, "opensm")
	made, _, err := build(t.Context(), r, p, engine.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	svc := made[1]
	for _, name := range []string{"svc", svc.Reference, svc.ID} {
		got, err := r.Inspect(t.Context(), name)
		if err != nil {
			t.Errorf("Inspect(%q): %v", name, err)
		}
		if diff := cmp.Diff(svc, got); diff != "" {
			t.Errorf("Inspect(%q) (-built +inspected):\n%s", name, diff)
		}
	}
	var steps []string
	for _, l := range svc.Layers {
		if (l.DiffID == "") != strings.HasPrefix(l.Step, "config") {
			t.Errorf("layer %+v: a config step makes none, all others make one", l)
		}
		steps = append(steps, l.Step)
	}
	equal(t, "layers, the lowest first", []string{
		"bootstrap debian bookworm (essential) systemd", "config, 3 labels",
		"packages opensm", "run setup: /bin/true", "config, 4 labels",
	}, steps)

	digest, err := r.Push(t.Context(), svc.Reference, "docker://registry.example/svc:1", engine.PushOptions{})
	if err != nil || digest != svc.Digest {
		t.Errorf("Push: %s, %v", digest, err)
	}
	if last := r.Calls[len(r.Calls)-1]; last != "push "+svc.Reference+" docker://registry.example/svc:1" {
		t.Errorf("the last call is %s", last)
	}
	var tar bytes.Buffer
	if err := r.DockerArchive(t.Context(), "svc", &tar); err != nil || tar.String() != "recorded archive of svc" {
		t.Errorf("DockerArchive: %q, %v", &tar, err)
	}
}

func TestRecorderRefusesAnOrphan(t *testing.T) {
	r, p := engine.NewRecorder(), makePlan(t, "opensm")
	child := p.Images[1].Steps[0]
	if err := r.Apply(t.Context(), child, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), child.ParentKey) {
		t.Errorf("a step without its parent gave %v", err)
	}
	if _, err := r.Tag(t.Context(), child.Key, "localhost/ibforge/svc:x"); err == nil || !strings.Contains(err.Error(), child.Key) {
		t.Errorf("naming a step that was not done gave %v", err)
	}
}

func TestNotFound(t *testing.T) {
	r := engine.NewRecorder()
	for _, c := range []struct {
		when, name, want string
	}{
		{"empty", "svc", "the store has no image \"svc\", nor any other: build it first with `ibforge build svc`"},
		{"full", "scv", "the store has no image \"scv\"; it has base, svc: build it first with `ibforge build scv`"},
		{"full", "localhost/ibforge/svc:gone", "the store has no image \"localhost/ibforge/svc:gone\"; it has base, svc: build it first with `ibforge build`"},
	} {
		if c.when == "full" {
			if _, _, err := build(t.Context(), r, makePlan(t, "opensm"), engine.BuildOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := r.Inspect(t.Context(), c.name)
		var notFound *engine.NotFoundError
		if !errors.As(err, &notFound) || err.Error() != c.want {
			t.Errorf("%s, %s: got %v\nwant %s", c.when, c.name, err, c.want)
		}
	}
}
