package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes the helper as it goes into images.
func build(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ports")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", name, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return name
}

// The helper runs in whatever userland an image has, and is a part of each.
func TestStandsAlone(t *testing.T) {
	name := build(t)
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it is linked dynamically")
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	const limit = 4 << 20
	if info.Size() > limit {
		t.Errorf("it is %d bytes large, more than %d", info.Size(), limit)
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		if !strings.HasPrefix(dep, "github.com/ibforge/ibforge/") {
			t.Errorf("it depends on %s", dep)
		}
	}
}

func TestStart(t *testing.T) {
	name := build(t)
	root := t.TempDir()
	for path, content := range map[string]string{
		"etc/ibforge/ports.json": `{"version":1,"service":"web","ports":[{"name":"http","protocol":"tcp","address":"any","listens":80,"host":8080,
			"via":"config","unit":"web.service","guarded":false,"rewrites":[{"path":"/etc/web.conf","match":"^Listen {port}$","count":1}]}]}`,
		"etc/web.conf": "Listen 80\nListen 8081\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), name, "start", "--unit", "web.service", "--root", root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(root, "etc/web.conf")); err != nil || string(got) != "Listen 8080\nListen 8081\n" {
		t.Errorf("%q, %v", got, err)
	}
	cmd := exec.CommandContext(t.Context(), name, "start", "--unit", "gone.service", "--root", root)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(out), "ports: gone.service has no port") {
		t.Errorf("a unit that nobody knows: %v\n%s", err, out)
	}
}
