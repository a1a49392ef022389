package spec

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// FuzzLoad asserts that no input makes Load or the writers panic, and that a
// project and errors exclude each other.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*/*/*/image.ibforge.hcl*")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), strings.HasSuffix(name, ".json"), "suite=x")
	}
	f.Fuzz(func(t *testing.T, src string, isJSON bool, assignment string) {
		name := "images/a/image.ibforge.hcl"
		if isJSON {
			name += ".json"
		}
		result, diags := Load(Options{
			FS:      fstest.MapFS{name: file(src), "images/a/rootfs/etc/x": file("x")},
			Vars:    []string{assignment},
			Environ: []string{"IBFORGE_VAR_" + assignment},
		})
		if (result.Project == nil) != diags.HasErrors() {
			t.Errorf("project %v with %v", result.Project, diags)
		}
		if err := WriteDiagnostics(&bytes.Buffer{}, result.Files, diags, 78, true); err != nil {
			t.Error(err)
		}
		if _, err := DiagnosticsJSON(diags); err != nil {
			t.Error(err)
		}
	})
}
