package lab_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// sleepArchive is an image that has this machine's sleep(1) and no more.
func sleepArchive(t *testing.T) string {
	t.Helper()
	ldd, err := exec.CommandContext(limited(t), "ldd", "/bin/sleep").Output()
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, file := range append(regexp.MustCompile(`/\S+`).FindAllString(string(ldd), -1), "/bin/sleep") {
		addFile(t, w, file, strings.TrimPrefix(file, "/"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(labtest.Dir(t), "sleep.tar")
	if err := os.WriteFile(name, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPodman(t *testing.T) {
	labtest.Need(t, lab.PodmanTools()...)
	labtest.NeedRoot(t, "podman with the host's network")
	archive := sleepArchive(t)
	const argument = "98761" // by which its processes are found
	var all []*lab.Podman
	for _, v2 := range []bool{false, true} {
		p := labtest.Podman(t, lab.PodmanOptions{CgroupV2: v2})
		all = append(all, p)
		podman := func(args ...string) string {
			t.Helper()
			// Others call the program from anywhere, with an environment of
			// their own.
			cmd := exec.CommandContext(limited(t), p.Path(), args...)
			cmd.Dir = labtest.Dir(t)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("podman %q: %v", args, err)
			}
			return strings.TrimSpace(string(out))
		}
		podman("import", archive, "localhost/sleep:1")
		// The same name in both.
		podman("run", "--detach", "--name", "sleeper", "--network", "host", "--cgroup-parent", "/ibforge-lab-podman-test", "localhost/sleep:1", "/bin/sleep", argument)
		podman("run", "--detach", "--name", "other", "--network", "host", "localhost/sleep:1", "/bin/sleep", argument)
		podman("restart", "--time", "0", "other")
		if got := podman("ps", "--format", "{{.Names}}"); got != "sleeper\nother" {
			t.Errorf("it runs %q", got)
		}
		if got := podman("info", "--format", "{{.Host.CgroupsVersion}}"); v2 && got != "v2" {
			t.Errorf("cgroups %s", got)
		}
	}
	if n := running(t, argument); n != 4 {
		t.Errorf("%d containers run, want 4", n)
	}
	for _, p := range all {
		if err := p.Stop(limited(t)); err != nil {
			t.Error(err)
		}
		if err := exec.CommandContext(limited(t), p.Path(), "ps").Run(); err == nil {
			t.Error("a stopped podman answers")
		}
	}
	if n := running(t, argument); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	if groups, err := filepath.Glob("/sys/fs/cgroup/*/ibforge-lab-podman-test"); err != nil || groups != nil {
		t.Errorf("cgroups are left: %v %v", groups, err)
	}
}

// running counts the sleeps with this argument.
func running(t *testing.T, argument string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		if argv, err := os.ReadFile(file); err == nil && string(argv) == "/bin/sleep\x00"+argument+"\x00" {
			n++
		}
	}
	return n
}
