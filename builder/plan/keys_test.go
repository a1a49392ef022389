package plan_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/plan"
)

const baseHCL = `image "base" {
  description = "Base"
  bootstrap "debian" {
    suite    = "bookworm"
    packages = ["systemd", "dbus"]
  }
  packages      = ["less"]
  omit_packages = { "perl" = "large" }
  prune         = { "/usr/share/doc" = "nobody reads it here", "/usr/share/man" = "nor that" }
  rootfs        = "rootfs"
  env           = { LANG = "C.UTF-8", TZ = "UTC" }
  unit "a.service" { state = "enabled" }
  unit "b.service" { state = "enabled" }
  unit "c.service" {
    state  = "masked"
    reason = "not in here"
  }
}
`

const svcHCL = `image "svc" {
  description   = "Service"
  from          = image.base
  packages      = ["opensm"]
  omit_packages = { "fonts" = "no screen" }
  prune         = { "/usr/share/icons" = "no screen" }
  rootfs        = "rootfs"
  env           = { TZ = "CET", MODE = "a" }
  labels        = { "org.example.team" = "net" }
  unit "a.service" {
    state  = "disabled"
    reason = "replaced"
  }
  unit "d.service" { state = "enabled" }
  run "one" {
    command = ["/bin/one", "x"]
  }
  run "two" {
    command = ["/bin/two"]
    env     = { K = "v" }
  }
  runtime {
    network = "host"
    volume "cache" { path = "/var/cache/svc" }
    capability "IPC_LOCK" { reason = "pins <pages> & more" }
    health { command = ["/bin/true"] }
  }
}
`

const otherHCL = `image "other" {
  description = "Other"
  from        = "docker://docker.io/library/debian@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}
`

// fixture is a project of two images that belong together and one that stands alone.
func fixture() fstest.MapFS {
	p := description(map[string]string{"base": baseHCL, "svc": svcHCL, "other": otherHCL})
	p["images/base/rootfs/etc/motd"] = &fstest.MapFile{Data: []byte("hello\n"), Mode: 0o644}
	p["images/base/rootfs/etc/motd.link"] = &fstest.MapFile{Data: []byte("motd"), Mode: fs.ModeSymlink | 0o777}
	p["images/svc/rootfs/usr/bin/svc"] = &fstest.MapFile{Data: []byte("#!/bin/sh\n"), Mode: 0o755}
	p["images/svc/rootfs/etc/svc.conf"] = &fstest.MapFile{Data: []byte("x = 1\n"), Mode: 0o644}
	return p
}

// edit replaces text of a description or a rootfs file; the text must be there.
func edit(name, from, to string) func(*testing.T, fstest.MapFS, *plan.Options) {
	return func(t *testing.T, p fstest.MapFS, _ *plan.Options) {
		t.Helper()
		file := *p["images/"+name]
		if !strings.Contains(string(file.Data), from) {
			t.Fatalf("%s does not hold %q", name, from)
		}
		file.Data = []byte(strings.Replace(string(file.Data), from, to, 1))
		p["images/"+name] = &file
	}
}

// alter changes a rootfs file, making it if need be.
func alter(name string, change func(*fstest.MapFile)) func(*testing.T, fstest.MapFS, *plan.Options) {
	return func(_ *testing.T, p fstest.MapFS, _ *plan.Options) {
		file := fstest.MapFile{Mode: 0o644}
		if old, ok := p["images/"+name]; ok {
			file = *old
		}
		change(&file)
		p["images/"+name] = &file
	}
}

const base, svc = "base/image.ibforge.hcl", "svc/image.ibforge.hcl"

// A change of an input changes the key of the step that reads it and of all
// that come after, and of none before.
func TestKeysFollowInputs(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, fstest.MapFS, *plan.Options)
		// first is the kind of the first step that changes, in image.
		image string
		first plan.Kind
	}{
		{"epoch", func(_ *testing.T, _ fstest.MapFS, o *plan.Options) { o.Epoch = 1 }, "", ""},
		{"arch", func(_ *testing.T, _ fstest.MapFS, o *plan.Options) { o.Arch = "arm64" }, "", ""},
		{"suite", edit(base, "bookworm", "trixie"), "base", plan.KindBootstrap},
		{"bootstrap package", edit(base, `"dbus"]`, `"dbus-broker"]`), "base", plan.KindBootstrap},
		{"prune", edit(base, "/usr/share/man", "/usr/share/info"), "base", plan.KindBootstrap},
		{"package", edit(base, "less", "nano"), "base", plan.KindPackages},
		{"omitted package", edit(base, `"perl" =`, `"python3" =`), "base", plan.KindPackages},
		{"byte of a file", edit("base/rootfs/etc/motd", "hello", "hallo"), "base", plan.KindRootfs},
		{"file to executable", alter("base/rootfs/etc/motd", func(f *fstest.MapFile) { f.Mode = 0o744 }), "base", plan.KindRootfs},
		{"link", edit("base/rootfs/etc/motd.link", "motd", "issue"), "base", plan.KindRootfs},
		{"new empty file", alter("base/rootfs/etc/new", func(*fstest.MapFile) {}), "base", plan.KindRootfs},
		{"unit state", edit(base, `unit "b.service" { state = "enabled" }`, "unit \"b.service\" {\n state = \"masked\"\n reason = \"x\"\n }"), "base", plan.KindUnits},
		{"environment", edit(base, "C.UTF-8", "C"), "base", plan.KindConfig},
		{"description", edit(base, "Base", "Ground"), "base", plan.KindConfig},

		{"child's package", edit(svc, "opensm", "ibutils"), "svc", plan.KindPackages},
		{"child's prune", edit(svc, "/usr/share/icons", "/usr/share/locale"), "svc", plan.KindPackages},
		{"child's omitted package", edit(svc, "fonts", "guile"), "svc", plan.KindPackages},
		{"child's file", edit("svc/rootfs/etc/svc.conf", "1", "2"), "svc", plan.KindRootfs},
		{"child's file no longer executable", alter("svc/rootfs/usr/bin/svc", func(f *fstest.MapFile) { f.Mode = 0o644 }), "svc", plan.KindRootfs},
		{"child's unit", edit(svc, "d.service", "e.service"), "svc", plan.KindUnits},
		{"command", edit(svc, `"/bin/one", "x"`, `"/bin/one", "y"`), "svc", plan.KindRun},
		{"argument to two", edit(svc, `"/bin/one", "x"`, `"/bin/one x"`), "svc", plan.KindRun},
		{"network of a command", edit(svc, `run "one" {`, "run \"one\" {\n network = \"host\""), "svc", plan.KindRun},
		{"child's environment", edit(svc, "CET", "MET"), "svc", plan.KindConfig},
		{"label", edit(svc, `"net"`, `"fabric"`), "svc", plan.KindConfig},
		{"volume", edit(svc, "/var/cache/svc", "/var/lib/svc"), "svc", plan.KindConfig},
		{"health", edit(svc, "/bin/true", "/bin/false"), "svc", plan.KindConfig},
	} {
		t.Run(c.name, func(t *testing.T) {
			was := keys(mustMake(t, fixture(), plan.Options{Arch: "amd64"}))
			p, opts := fixture(), plan.Options{Arch: "amd64"}
			c.change(t, p, &opts)
			now := keys(mustMake(t, p, opts))
			if len(was) != len(now) {
				t.Fatalf("%d steps were %d", len(now), len(was))
			}
			changed := c.image == "" // epoch and arch are in every key
			for i, s := range now {
				if s.image == "other" && c.image != "" {
					changed = false
				}
				if s.image == c.image && s.kind == c.first || s.image == "svc" && c.image == "base" {
					changed = true
				}
				if got := s.key != was[i].key; got != changed {
					t.Errorf("%s, %s: changed is %v, want %v", s.image, s.kind, got, changed)
				}
			}
		})
	}
}

// What no step reads, and what a git checkout does not keep, changes no key.
func TestKeysIgnore(t *testing.T) {
	want := mustMake(t, fixture(), plan.Options{Arch: "amd64"})
	for _, c := range []struct {
		name   string
		change func(*testing.T, fstest.MapFS, *plan.Options)
	}{
		{"nothing", func(*testing.T, fstest.MapFS, *plan.Options) {}},
		{"group may write a file", alter("base/rootfs/etc/motd", func(f *fstest.MapFile) { f.Mode = 0o664 })},
		{"group may write a program", alter("svc/rootfs/usr/bin/svc", func(f *fstest.MapFile) { f.Mode = 0o775 })},
		{"directory for the owner alone", alter("base/rootfs/etc", func(f *fstest.MapFile) { f.Mode = fs.ModeDir | 0o700 })},
		{"time of a file", alter("base/rootfs/etc/motd", func(f *fstest.MapFile) { f.ModTime = time.Unix(1e9, 0) })},
		{"a file beside the rootfs", alter("base/README.md", func(f *fstest.MapFile) { f.Data = []byte("why") })},
		{"a comment", edit(base, "packages      =", "# why\n  packages =")},
		{"the reason of a mask", edit(base, "not in here", "not wanted here")},
		{"order of a map", edit(base, `LANG = "C.UTF-8", TZ = "UTC"`, `TZ = "UTC", LANG = "C.UTF-8"`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, opts := fixture(), plan.Options{Arch: "amd64"}
			c.change(t, p, &opts)
			got := mustMake(t, p, opts)
			if diff := cmp.Diff(string(indented(t, want)), string(indented(t, got))); diff != "" {
				t.Errorf("the plan changed (-before +after):\n%s", diff)
			}
		})
	}
}

type stepKey struct {
	image string
	kind  plan.Kind
	key   string
}

func keys(p plan.Plan) []stepKey {
	var out []stepKey
	for _, img := range p.Images {
		for _, s := range img.Steps {
			out = append(out, stepKey{img.Name, s.Kind, s.Key})
		}
	}
	return out
}
