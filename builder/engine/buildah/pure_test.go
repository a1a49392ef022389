package buildah

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The lines are apt's own, of `apt-get --simulate install` on bookworm.
func TestDpkgScript(t *testing.T) {
	t.Parallel()
	simulation := `NOTE: This is only a simulation!
Inst libdevmapper1.02.1 (2:1.02.185-2 Debian:12.15/oldstable [amd64])
Inst dbus-session-bus-common (1.14.10-1~deb12u1 Debian:12.15/oldstable [all])
Conf libdevmapper1.02.1 (2:1.02.185-2 Debian:12.15/oldstable [amd64])
Inst libc6 [2.36-9] (2.36-9+deb12u14 Debian:12.15/oldstable, Debian-Security:12 [amd64]) []
Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
`
	want := `
dpkg --force-unsafe-io --force-depends --unpack /run/ibforge/libdevmapper1.02.1_2%3a1.02.185-2_amd64.deb /run/ibforge/dbus-session-bus-common_1.14.10-1~deb12u1_all.deb
dpkg --force-unsafe-io --force-depends --configure libdevmapper1.02.1
dpkg --force-unsafe-io --force-depends --unpack /run/ibforge/libc6_2.36-9+deb12u14_amd64.deb
dpkg --force-unsafe-io --force-depends --configure libc6
dpkg --force-unsafe-io --force-depends --configure --pending
`
	got, err := dpkgScript(strings.NewReader(simulation), []string{"perl"})
	if err != nil || got != want {
		t.Errorf("%v\ngot:%s\nwant:%s", err, got, want)
	}
	if got, err = dpkgScript(strings.NewReader("Reading package lists...\n"), nil); err != nil || got != "" {
		t.Errorf("nothing to do: %q, %v", got, err)
	}
	for _, line := range []string{"Remv perl [5.36]", "Inst odd"} {
		if got, err = dpkgScript(strings.NewReader(line+"\n"), nil); err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("%q was taken: %q, %v", line, got, err)
		}
	}
}

func TestAptErrors(t *testing.T) {
	t.Parallel()
	output := "Reading package lists...\nE: Unable to locate package opensn\nE: Unable to locate package opensn\nE: apt-get update failed\nE: Sub-process /usr/bin/dpkg returned 1\nE: other\n"
	if got, want := aptErrors(output), "Unable to locate package opensn; other"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Pruning keeps to the image: a link that leads out of it removes itself only.
func TestGlobStaysInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "precious")
	for _, name := range []string{"usr/share/doc/a/copyright", "usr/share/doc/a/README", "usr/share/doc/b/changelog.gz"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "usr/share/doc/out")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for pattern, want := range map[string][]string{
		"usr/share/doc/*/[^c]*":  {"usr/share/doc/a/README"},
		"usr/share/doc/*/c[^o]*": {"usr/share/doc/b/changelog.gz"},
		"no/such/*":              nil,
		"usr/share/doc/a":        {"usr/share/doc/a"},
	} {
		got, err := glob(root, pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", pattern, got, err, want)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func TestTemplateOf(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]string{"getty@tty1.service": "getty@.service", "getty.target": "getty.target", "a@b@c.timer": "a@.timer"} {
		if got := templateOf(unit); got != want {
			t.Errorf("%s: got %s, want %s", unit, got, want)
		}
	}
}
