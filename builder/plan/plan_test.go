package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/plan"
	"github.com/ibforge/ibforge/builder/spec"
)

// load reads a project, which must be valid.
func load(t *testing.T, fsys fs.FS) *spec.Project {
	t.Helper()
	res, diags := spec.Load(spec.Options{FS: fsys})
	if diags.HasErrors() {
		t.Fatalf("the fixture is not valid: %v", diags)
	}
	return res.Project
}

func mustMake(t *testing.T, fsys fs.FS, opts plan.Options) plan.Plan {
	t.Helper()
	p, err := plan.Make(load(t, fsys), opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustImage(t *testing.T, p plan.Plan, name string) plan.Image {
	t.Helper()
	img, ok := p.Image(name)
	if !ok {
		t.Fatalf("the plan has no image %q", name)
	}
	return img
}

// description gives a project of image files, by the name of their directory.
func description(images map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, src := range images {
		out["images/"+name+"/image.ibforge.hcl"] = &fstest.MapFile{Data: []byte(src)}
	}
	return out
}

// golden compares got with a file of testdata/golden, which UPDATE=1 rewrites.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s; if the change is meant, UPDATE=1 rewrites it (-golden +got):\n%s", file, diff)
	}
}

func indented(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The images of this repository. A changed key here means that every site
// builds that layer anew, so it must be meant.
func TestRealImages(t *testing.T) {
	p := mustMake(t, os.DirFS("../.."), plan.Options{Arch: "amd64"})
	var text strings.Builder
	var long, short []string
	for _, img := range p.Images {
		fmt.Fprintf(&text, "%s\n", img.Reference)
		for i, s := range img.Steps {
			fmt.Fprintf(&text, "  %s  %s\n", s.Key[:12], s.Summary)
			name := fmt.Sprintf("key-of-%s-%d", img.Name, i+1)
			long, short = append(long, s.Key, name), append(short, s.Key[:12], name)
		}
	}
	golden(t, "plan.txt", []byte(text.String()))
	// In the long form keys have names, so that it shows a cause and not all
	// the keys that follow from it.
	named := strings.NewReplacer(append(long, short...)...)
	for _, img := range p.Images {
		golden(t, img.Name+".json", []byte(named.Replace(string(indented(t, img)))))
	}
}

func TestChain(t *testing.T) {
	p := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	seen := map[string]bool{}
	for _, img := range p.Images {
		before := ""
		if img.Parent != "" {
			before = mustImage(t, p, img.Parent).Key()
		}
		for _, s := range img.Steps {
			if s.ParentKey != before {
				t.Errorf("%s, step %q: the parent key is %q, the step before has %q", img.Name, s.Summary, s.ParentKey, before)
			}
			if seen[s.Key] {
				t.Errorf("%s, step %q: another step has its key", img.Name, s.Summary)
			}
			seen[s.Key] = true
			before = s.Key
		}
		if want := "localhost/ibforge/" + img.Name + ":" + img.Key()[:12]; img.Reference != want {
			t.Errorf("the reference is %s, want %s", img.Reference, want)
		}
	}
}

func TestOrderOfSteps(t *testing.T) {
	p := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	for name, want := range map[string]string{
		"base":  "bootstrap packages rootfs units config",
		"svc":   "packages rootfs run run units config",
		"other": "import config",
	} {
		var kinds []string
		for _, s := range mustImage(t, p, name).Steps {
			kinds = append(kinds, string(s.Kind))
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestOnly(t *testing.T) {
	p := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, "base other svc"},
		{[]string{"base"}, "base"},
		{[]string{"svc"}, "base svc"},
		{[]string{"svc", "other", "svc"}, "base other svc"},
	} {
		got, err := p.Only(c.names...)
		if err != nil {
			t.Errorf("%q: %v", c.names, err)
		}
		var names []string
		for _, img := range got.Images {
			names = append(names, img.Name)
		}
		if strings.Join(names, " ") != c.want {
			t.Errorf("%q: %q, want %q", c.names, names, c.want)
		}
	}
	if len(p.Images) != 3 {
		t.Errorf("Only has taken images from the plan itself: %d are left", len(p.Images))
	}
}

// The empty name is what a script hands over whose variable is not set.
func TestOnlyUnknown(t *testing.T) {
	p := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	for _, name := range []string{"svcs", ""} {
		_, err := p.Only("base", name)
		var unknown *plan.UnknownImageError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: the error is %v, want an UnknownImageError", name, err)
			continue
		}
		want := fmt.Sprintf("no image block is named %q; described are base, other, svc", name)
		if unknown.Name != name || err.Error() != want {
			t.Errorf("%q: %s", name, err)
		}
	}
}

// What the image says of itself is what the plan says of it.
func TestLabelIsTheContract(t *testing.T) {
	p := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	for _, img := range p.Images {
		last := img.Steps[len(img.Steps)-1].Op
		cfg, ok := last.(plan.Config)
		if !ok {
			t.Fatalf("%s: the last step is a %T", img.Name, last)
		}
		raw, ok := cfg.Labels[contract.Label]
		if ok != (img.Contract != nil) {
			t.Errorf("%s: label %v, contract %v", img.Name, ok, img.Contract != nil)
		}
		if !ok {
			continue
		}
		got, err := contract.Parse([]byte(raw))
		if err != nil {
			t.Errorf("%s: %v", img.Name, err)
		}
		if diff := cmp.Diff(*img.Contract, got); diff != "" {
			t.Errorf("%s (-plan +label):\n%s", img.Name, diff)
		}
		if strings.Contains(raw, `\u003c`) || !strings.Contains(raw, "<pages> & more") {
			t.Errorf("%s: the label is not written by contract.MarshalCompact: %s", img.Name, raw)
		}
	}
}

func TestUnreadableRootfs(t *testing.T) {
	for _, c := range []struct {
		name, want string
		rootfs     fs.FS
	}{
		{
			"a pipe", `image "a" (images/a): rootfs/run/pipe is neither a directory, a regular file nor a symbolic link; a device or socket belongs to the runtime block`,
			fstest.MapFS{"run/pipe": {Mode: fs.ModeNamedPipe | 0o644}},
		},
		{"a file that is gone", `image "a" (images/a): open etc/motd: file does not exist`, gone{fstest.MapFS{"etc/motd": {}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := plan.Make(&spec.Project{Images: []*spec.Image{{Name: "a", Dir: "images/a", RootfsFS: c.rootfs}}}, plan.Options{})
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// gone lists files and opens none, as a tree does that changes underneath.
type gone struct{ fstest.MapFS }

func (g gone) Open(name string) (fs.File, error) {
	if info, err := fs.Stat(g.MapFS, name); err == nil && info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return g.MapFS.Open(name)
}
