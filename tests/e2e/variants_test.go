package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab/labtest"
	"github.com/ibforge/ibforge/tests/lab/site"
)

// variants are files that describe the project's images: "a" as they are, "b"
// with a file more, and "broken" with health checks that never succeed and do
// not take long over it.
type variants map[string]string

func buildVariants(t *testing.T) variants {
	t.Helper()
	need(t)
	companion := labtest.Dir(t)
	// Of its own: in a store the last image of a name is the one that is pushed.
	store := filepath.Join(companion, "store")
	companions(t)
	flags, err := site.Payloads(filepath.Join(root, "tests/standins"), companion)
	if err != nil {
		t.Fatal(err)
	}
	out := variants{}
	for name, change := range map[string]func(*testing.T, string){"a": nil, "b": anotherFile, "broken": neverHealthy} {
		project := filepath.Join(companion, name)
		if err := os.CopyFS(filepath.Join(project, "images"), os.DirFS(filepath.Join(root, "images"))); err != nil {
			t.Fatal(err)
		}
		for _, image := range []string{"opensm", "ufm", "neo"} {
			if change != nil {
				change(t, filepath.Join(project, "images", image))
			}
		}
		out[name] = filepath.Join(project, "ibforge-images.yml")
		ok(t, append([]string{"-C", project, "--store", store, "build", "--images-file", out[name], "opensm", "ufm", "neo"}, flags...)...)
		for _, image := range []string{"opensm", "ufm", "neo"} {
			ok(t, "-C", project, "--store", store, "push", image, "docker-archive:"+filepath.Join(project, image+".tar"), "--images-file", out[name])
		}
	}
	return out
}

func anotherFile(t *testing.T, image string) {
	t.Helper()
	dir := filepath.Join(image, "rootfs/usr/share/ibforge")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "variant"), []byte("b\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func neverHealthy(t *testing.T, image string) {
	t.Helper()
	health := filepath.Join(image, "rootfs/usr/libexec/ibforge", filepath.Base(image)+"-health")
	if err := os.WriteFile(health, []byte("#!/bin/sh\necho broken on purpose\nexit 1\n"), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	file := filepath.Join(image, "image.ibforge.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for _, setting := range []string{"interval", "timeout", "start_period"} {
		lines := strings.Split(changed, "\n")
		for i, line := range lines {
			if key, _, found := strings.Cut(strings.TrimSpace(line), " "); found && key == setting {
				lines[i] = setting + ` = "2s"`
			}
		}
		changed = strings.Join(lines, "\n")
	}
	if changed == string(text) {
		t.Fatalf("%s has no health check to shorten", file)
	}
	if err := os.WriteFile(file, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}
