package spec

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// update tells to rewrite the goldens: UPDATE=1 go test ./builder/spec does.
func update() bool { return os.Getenv("UPDATE") != "" }

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if update() {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v; run with UPDATE=1 to make it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); run with UPDATE=1 to accept:\n%s", name, diff)
	}
}

// rootFS is a project directory as the command line opens it.
func rootFS(t *testing.T, dir string) fs.FS {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root.FS()
}

// project is the fixture's directory, or a copy of it with the symbolic links
// that links.txt lists as "path target" lines. They are not kept in the
// repository: tools that pack it would follow them out of it.
func project(t *testing.T, dir string) fs.FS {
	t.Helper()
	links, err := os.ReadFile(filepath.Join(dir, "links.txt"))
	if os.IsNotExist(err) {
		return rootFS(t, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(links)) {
		name, target, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		link := filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	return rootFS(t, work)
}

// fixtureOptions reads args.txt: one "-var", "-var-file", "env" or "file" and
// its value per line.
func fixtureOptions(t *testing.T, dir string) Options {
	t.Helper()
	opts := Options{FS: project(t, dir)}
	args, err := os.ReadFile(filepath.Join(dir, "args.txt"))
	if os.IsNotExist(err) {
		return opts
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(args)) {
		kind, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "-var":
			opts.Vars = append(opts.Vars, value)
		case "-var-file":
			opts.VarFiles = append(opts.VarFiles, value)
		case "env":
			opts.Environ = append(opts.Environ, value)
		case "file":
			opts.Files = append(opts.Files, value)
		default:
			t.Fatalf("%s: args.txt: unknown word %q", dir, kind)
		}
	}
	return opts
}

func render(t *testing.T, r *Result, diags hcl.Diagnostics) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteDiagnostics(&b, r.Files, diags, 78, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestInvalid(t *testing.T) {
	dirs, err := filepath.Glob("testdata/invalid-*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			opts := fixtureOptions(t, dir)
			result, diags := Load(opts)
			if !diags.HasErrors() {
				t.Error("no fault was found")
			}
			got := render(t, result, diags)
			for range 10 { // gohcl and hcl's suggestions go through maps
				again, diags := Load(opts)
				if diff := cmp.Diff(got, render(t, again, diags)); diff != "" {
					t.Fatalf("the second time it says something else:\n%s", diff)
				}
			}
			if strings.Contains(strings.ToLower(got), "hunter2") {
				t.Error("a sensitive value is shown")
			}
			if result.Project != nil {
				t.Error("there is a project in spite of errors")
			}
			for _, d := range diags {
				if d.Summary == "" || d.Detail == "" {
					t.Errorf("diagnostic without a summary or detail: %v", d)
				}
			}
			golden(t, filepath.Join(dir, "want.txt"), got)
		})
	}
}

func TestValid(t *testing.T) {
	dirs, err := filepath.Glob("testdata/valid-*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			result, diags := Load(fixtureOptions(t, dir))
			if len(diags) > 0 {
				t.Fatal(render(t, result, diags))
			}
			golden(t, filepath.Join(dir, "want.txt"), dump(result.Project))
		})
	}
}

// The images of this repository are descriptions like any other.
func TestOwnImages(t *testing.T) {
	result, diags := Load(Options{FS: rootFS(t, "../..")})
	if len(diags) > 0 {
		t.Fatal(render(t, result, diags))
	}
	var names []string
	for _, image := range result.Project.Images {
		names = append(names, image.Name)
	}
	got := strings.Join(names, " ") + " "
	base, opensm := strings.Index(got, "systemd-base "), strings.Index(got, "opensm ")
	if base < 0 || opensm < base {
		t.Errorf("images %q: want systemd-base, and opensm after it", got)
	}
}

// dump shows a project as text: what is empty is left out, and so are ranges.
func dump(p *Project) string {
	var b strings.Builder
	dumpValue(&b, "", reflect.ValueOf(*p))
	return b.String()
}

func dumpValue(b *strings.Builder, at string, v reflect.Value) {
	switch x := v.Interface().(type) {
	case hcl.Range:
		return
	case fs.FS:
		_ = fs.WalkDir(x, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				fmt.Fprintf(b, "%s: %s %v\n", at, name, err)
			}
			return nil
		})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if parent, ok := v.Field(i).Interface().(*Image); ok {
				if parent != nil {
					fmt.Fprintf(b, "%s.%s = image %s\n", at, name, parent.Name)
				}
				continue
			}
			dumpValue(b, at+"."+name, v.Field(i))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			dumpValue(b, at, v.Elem())
		}
	case reflect.Slice:
		if v.Len() > 0 && v.Index(0).Kind() == reflect.String {
			fmt.Fprintf(b, "%s = %q\n", at, v.Interface())
			return
		}
		for i := range v.Len() {
			dumpValue(b, fmt.Sprintf("%s[%d]", at, i), v.Index(i))
		}
	case reflect.Map:
		if v.Len() > 0 {
			fmt.Fprintf(b, "%s = %q\n", at, v.Interface())
		}
	default:
		if !v.IsZero() {
			fmt.Fprintf(b, "%s = %#v\n", at, v.Interface())
		}
	}
}
