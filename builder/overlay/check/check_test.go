package check

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/overlay"
)

// site makes a repository of the fixture valid-site with another one over it.
// REMOVED names what that takes away.
func site(t *testing.T, fixture string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "valid-site"))); err != nil {
		t.Fatal(err)
	}
	if fixture == "valid-site" {
		return dir
	}
	over := filepath.Join("testdata", fixture)
	removed, err := os.ReadFile(filepath.Join(over, "REMOVED"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(removed)) {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s removes what is not there: %v", fixture, err)
		}
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// What the fixture has goes before what is there.
	err = fs.WalkDir(os.DirFS(over), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err == nil {
		err = os.CopyFS(dir, os.DirFS(over))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, dir string) Result {
	t.Helper()
	source, err := overlay.ReadSource(os.DirFS("../../../kayobe"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "etc", "kayobe"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	o := Options{FS: root.FS(), Repository: os.DirFS(dir), Rendered: os.DirFS(filepath.Join(dir, "rendered")), Collection: os.DirFS("../../.."), Source: source, Version: "0.1.0"}
	if _, err := root.Stat("environments/prod"); err == nil {
		o.Environment = "prod"
	}
	got, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// UPDATE=1 rewrites what the fixtures expect. Read the difference.
func TestFixtures(t *testing.T) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			r := run(t, site(t, e.Name()))
			var b bytes.Buffer
			if err := hcl.NewDiagnosticTextWriter(&b, r.Files, 0, false).WriteDiagnostics(r.Diags); err != nil {
				t.Fatal(err)
			}
			for _, note := range r.Notes {
				b.WriteString("note: " + note + "\n")
			}
			for _, d := range r.Diags {
				rules[d.Summary] = true
			}
			if valid := strings.HasPrefix(e.Name(), "valid-"); valid && len(r.Diags) > 0 || !valid && len(r.Diags) == 0 {
				t.Errorf("%d were found", len(r.Diags))
			}
			file := filepath.Join("testdata", e.Name(), "want")
			if os.Getenv("UPDATE") == "1" {
				if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("UPDATE=1 rewrites it (-want +got):\n%s", diff)
			}
		})
	}
	if len(rules) < 25 {
		t.Errorf("the fixtures show only %d rules", len(rules))
	}
}

func TestUnknownEnvironment(t *testing.T) {
	dir := site(t, "valid-environment")
	_, err := Run(Options{FS: os.DirFS(filepath.Join(dir, "etc", "kayobe")), Environment: "prot", Collection: os.DirFS("../../..")})
	if want := `environments are directories of environments/. Did you mean "prod"?`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
