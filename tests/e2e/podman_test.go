package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// podmanConf goes by what podman 4.3 of Debian 12 needs where the process may
// not raise limits and systemd does not run: limits that it has, cgroupfs, and
// runc, since this release's crun knows no hybrid cgroups.
const podmanConf = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
pids_limit = 0
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_backend = "cni"
`

// testPodman boots the product in podman: the socket hooks belong to a cgroup,
// and no engine has a part in them.
func testPodman(t *testing.T, store string) {
	labtest.Need(t, lab.Tool{Name: "podman", Package: "podman"})
	dir := labtest.Dir(t)
	conf := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(conf, []byte(podmanConf), 0o600); err != nil {
		t.Fatal(err)
	}
	podman := func(ctx context.Context, args ...string) (string, error) {
		flags := []string{"--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp", "--storage-driver", "overlay"}
		cmd := exec.CommandContext(ctx, "podman", append(flags, args...)...)
		cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+conf)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := podman(t.Context(), args...)
		if err != nil {
			t.Fatalf("podman %q: %v\n%s", args, err, out)
		}
		return out
	}
	archive := filepath.Join(dir, "product.tar")
	ok(t, "--store", store, "push", "product", "docker-archive:"+archive, "--images-file", filepath.Join(dir, "images.yml"))
	must("load", "--input", archive)

	img := inspect(t, store, "product")
	m := contract.PortMap{Version: contract.PortMapVersion, Service: "e2e_podman", Cgroup: "/ibforge-e2e-podman", Ports: img.Contract.Ports}
	text, err := m.MarshalIndented()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "map.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(root, "bin/ibforge-portmap")
	t.Cleanup(func() {
		ctx := context.Background() // the test's own has ended
		if out, err := podman(ctx, "rm", "--force", "--all"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if out, err := exec.CommandContext(ctx, agent, "detach", "-force", m.Service).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		_, _ = podman(ctx, "system", "reset", "--force") // the overlay of its root is a mount
	})
	if out, err := exec.CommandContext(t.Context(), agent, "attach", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must("run", "--detach", "--name", "product", "--network", "host", "--cgroup-parent", m.Cgroup, "--systemd", "always", strings.TrimPrefix(img.ID, "sha256:"))
	for range 3 {
		waitFor(t, "the product's ports in podman", func() bool {
			open := listening(t)
			return open[18880] && open[18443]
		})
		if open := listening(t); open[10443] || open[10080] {
			t.Errorf("a port is open where the product wants it: %v", open)
		}
		must("restart", "product")
	}
}
