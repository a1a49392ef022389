package lab_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// cgroupsNamed returns the cgroups of the whole machine whose path starts with
// the name.
func cgroupsNamed(t *testing.T, name string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup" + name + "*", "/sys/fs/cgroup/*" + name + "*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, dirs...)
	}
	return found
}

func TestEngine(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts lab.EngineOptions
	}{
		{"as the host is", lab.EngineOptions{}},
		{"cgroup v2", lab.EngineOptions{CgroupV2: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := labtest.Engine(t, tc.opts)
			ctx := limited(t)
			version, err := e.Client().ServerVersion(ctx)
			if err != nil || version.Version == "" {
				t.Fatalf("version %q, %v", version.Version, err)
			}
			info, err := e.Client().Info(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if tc.opts.CgroupV2 && info.CgroupVersion != "2" {
				t.Errorf("cgroup version %q", info.CgroupVersion)
			}
			if info.CgroupDriver != "cgroupfs" || info.Images != 0 || info.Containers != 0 {
				t.Errorf("driver %s, %d images, %d containers", info.CgroupDriver, info.Images, info.Containers)
			}

			importImage(t, e, "sleep")
			parent := "/ibforge-test-" + filepath.Base(labtest.Dir(t))
			run(t, e, container.Config{Image: "tools", Cmd: []string{"sleep", "600"}},
				container.HostConfig{NetworkMode: "host", Resources: container.Resources{CgroupParent: parent}})
			if got := cgroupsNamed(t, parent); len(got) == 0 {
				t.Fatal("the container has no cgroup that the test can see")
			}
			if err := e.Stop(ctx); err != nil {
				t.Error(err)
			}
			if got := cgroupsNamed(t, parent); len(got) != 0 {
				t.Errorf("cgroups are left: %v", got)
			}
			if _, err := os.Stat(strings.TrimPrefix(e.Host(), "unix://")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is left: %v", err)
			}
		})
	}
}

// A container that is removed before the end leaves the parent of its cgroup
// to the engine.
func TestEngineRemovesParentsOfRemovedContainers(t *testing.T) {
	e := labtest.Engine(t, lab.EngineOptions{})
	importImage(t, e, "sleep")
	parent := "/ibforge-test-" + filepath.Base(labtest.Dir(t))
	id := run(t, e, container.Config{Image: "tools", Cmd: []string{"sleep", "600"}},
		container.HostConfig{NetworkMode: "host", Resources: container.Resources{CgroupParent: parent}})
	if err := e.Client().ContainerRemove(limited(t), id, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(limited(t)); err != nil {
		t.Error(err)
	}
	if got := cgroupsNamed(t, parent); len(got) != 0 {
		t.Errorf("cgroups are left: %v", got)
	}
}

// The end of the context is followed by a full clean-up, even of running
// containers.
func TestEngineEndsWithItsContext(t *testing.T) {
	labtest.Need(t, lab.EngineTools()...)
	labtest.NeedRoot(t, "a container engine")
	ctx, cancel := context.WithCancel(context.Background())
	dir := labtest.Dir(t)
	e, err := lab.StartEngine(ctx, lab.EngineOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	importImage(t, e, "sleep")
	run(t, e, container.Config{Image: "tools", Cmd: []string{"sleep", "600"}}, container.HostConfig{NetworkMode: "host"})
	cancel()
	for range 2 {
		if err := e.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	if got := processesWith(t, dir); len(got) != 0 {
		t.Errorf("processes are left: %q", got)
	}
}

// A dockerd that crashes leaves containers behind: Stop says so, and ends them.
func TestEngineCrashed(t *testing.T) {
	labtest.Need(t, lab.EngineTools()...)
	labtest.NeedRoot(t, "a container engine")
	dir := labtest.Dir(t)
	e, err := lab.StartEngine(context.Background(), lab.EngineOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	importImage(t, e, "sleep")
	parent := "/ibforge-test-" + filepath.Base(dir)
	run(t, e, container.Config{Image: "tools", Cmd: []string{"sleep", "600"}},
		container.HostConfig{NetworkMode: "host", Resources: container.Resources{CgroupParent: parent}})
	if got := processesWith(t, dir); len(got) < 3 {
		t.Fatalf("dockerd, containerd and a shim should run, not %q", got)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := e.Stop(limited(t)); err == nil || !strings.Contains(err.Error(), "dockerd ended by itself: signal: killed") {
		t.Errorf("error %v", err)
	}
	if got := processesWith(t, dir); len(got) != 0 {
		t.Errorf("processes are left: %q", got)
	}
	if got := cgroupsNamed(t, parent); len(got) != 0 {
		t.Errorf("cgroups are left: %v", got)
	}
}

// processesWith returns the arguments of all processes that have the text in
// them.
func processesWith(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		argv, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(argv), text) {
			found = append(found, string(argv))
		}
	}
	return found
}

func TestStartEngineRefuses(t *testing.T) {
	labtest.Need(t, lab.EngineTools()...)
	labtest.NeedRoot(t, "a container engine")
	dir := labtest.Dir(t)
	if err := os.WriteFile(filepath.Join(dir, "root"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, dir, want string }{
		{"no directory", "", "no directory given"},
		{"path too long for sockets", "/tmp/" + strings.Repeat("x", 80), "choose a shorter one"},
		{"dockerd fails", dir, "canonical path points to a file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := lab.StartEngine(limited(t), lab.EngineOptions{Dir: tc.dir})
			if err == nil {
				t.Fatal(errors.Join(errors.New("it started"), e.Stop(limited(t))))
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// A container on the host's network is on the fabric by nothing but the
// mounted library and three variables.
func TestContainerOnTheFabric(t *testing.T) {
	f := labtest.Fabric(t, lab.FabricOptions{})
	e := labtest.Engine(t, lab.EngineOptions{})
	labtest.OpenSM(t, f, "Hca1", "-p", "3")
	if _, err := f.WaitMaster(limited(t)); err != nil {
		t.Fatal(err)
	}
	importImage(t, e, "sminfo", f.Library())
	id := run(t, e, container.Config{Image: "tools", Cmd: []string{"sminfo"}, Env: f.Environ("Hca2")},
		container.HostConfig{NetworkMode: "host", Binds: []string{f.Library() + ":" + f.Library() + ":ro"}})
	if out := awaitExit(t, e, id); !strings.Contains(out, "priority 3 state 3 SMINFO_MASTER") {
		t.Errorf("sminfo in the container wrote %q", out)
	}
}
