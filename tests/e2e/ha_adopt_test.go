package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// keptLID is a LID that nobody would give Hca3 who does not know the cache.
const keptLID = 0x41

// kayobe makes the container and the volumes of Kayobe's role opensm, with
// OpenSM as the only process and a cache that has been used before. The machine
// that runs the tests may not give it all privileges, which it does not need.
func (p *pair) kayobe(t *testing.T, engine *lab.Engine) {
	t.Helper()
	api := engine.Client()
	archive, err := os.Open(p.dir + "/opensm.tar")
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := api.ImageLoad(t.Context(), archive)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, loaded.Body); err != nil {
		t.Fatal(err)
	}
	cache, err := api.VolumeCreate(t.Context(), volume.CreateOptions{Name: "opensm_cache"})
	if err != nil {
		t.Fatal(err)
	}
	hca3, err := p.fabric.Host(t.Context(), "Hca3")
	if err != nil {
		t.Fatal(err)
	}
	guid2lid := fmt.Sprintf("0x%016x 0x%04x 0x%04x\n\n", hca3.GUID, keptLID, keptLID)
	if err := os.WriteFile(filepath.Join(cache.Mountpoint, "guid2lid"), []byte(guid2lid), 0o600); err != nil {
		t.Fatal(err)
	}
	library := p.fabric.Library()
	made, err := api.ContainerCreate(t.Context(), &container.Config{
		Image: readImages(t, p.images).Images["opensm"].ID, Env: p.fabric.Environ("Hca1"), WorkingDir: "/tmp", StopSignal: "SIGTERM",
		Entrypoint:  []string{"/usr/sbin/opensm", "--log_file", "/var/log/opensm/opensm.log"},
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}, &container.HostConfig{
		NetworkMode: "host", RestartPolicy: container.RestartPolicy{Name: "unless-stopped"},
		Binds: []string{"opensm_cache:/var/cache/opensm", "opensm_logs:/var/log/opensm", library + ":" + library + ":ro"},
	}, nil, nil, "opensm")
	if err != nil {
		t.Fatal(err)
	}
	if err := api.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
}

// masterWithLIDs waits for a master that knows the ports' LIDs.
func (p *pair) masterWithLIDs(t *testing.T) {
	t.Helper()
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Fatal(err)
	}
	if port, err := p.fabric.Host(t.Context(), "Hca3"); err != nil || port.LID != keptLID {
		t.Errorf("Hca3 has the LID %#x, %v", port.LID, err)
	}
}

// state is a container's, its restart policy and the PID of its first process.
func (p *pair) state(t *testing.T, name string) (status, restart string, pid int) {
	t.Helper()
	found, err := p.engines["ctl1"].Client().ContainerInspect(t.Context(), name)
	if err != nil {
		return "absent", "", 0
	}
	return found.State.Status, string(found.HostConfig.RestartPolicy.Name), found.State.Pid
}

// Kayobe's container is taken over with its LIDs; before that nobody else's
// subnet manager is forgiven, and one that fails to take its place leaves it at
// work. The documented way back works.
func TestAdopt(t *testing.T) {
	t.Parallel()
	p := newHosts(t, "ctl1")
	engine, images := p.engines["ctl1"], p.images
	p.kayobe(t, engine)
	p.masterWithLIDs(t)
	p.forgivesOnlyKayobes(t)

	adopt := map[string]any{"ib_opensm_adopt": true}
	p.images = rebuilt(t, "opensm-broken", neverHealthy)
	if r, _ := p.act("deploy", adopt); r.code == 0 || !strings.Contains(r.stdout, "the adoption of opensm was taken back") || !strings.Contains(r.stdout, "broken on purpose") {
		t.Error(r)
	}
	if status, restart, _ := p.state(t, "opensm"); status != "running" || restart != "unless-stopped" {
		t.Errorf("after an adoption that failed, Kayobe's container is %s, with restart policy %s", status, restart)
	}
	if status, _, _ := p.state(t, "ib_opensm"); status != "absent" {
		t.Errorf("after an adoption that failed, ours is %s", status)
	}
	p.masterWithLIDs(t)

	p.images = images
	p.must("deploy", adopt)
	if status, restart, _ := p.state(t, "opensm_before_ibforge"); status != "exited" || restart != "no" {
		t.Errorf("Kayobe's container is %s, with restart policy %s", status, restart)
	}
	p.masterWithLIDs(t)
	if got := p.health("ctl1"); !strings.Contains(got, ": master: ") {
		t.Errorf("health: %s", got)
	}
	if got := p.exec("ctl1", "sh", "-c", "cat /var/cache/opensm/*/guid2lid"); !strings.Contains(got, fmt.Sprintf("0x%04x", keptLID)) {
		t.Errorf("our guid2lid: %s", got)
	}
	if n := p.must("deploy", adopt).Hosts["ctl1"].Changed; n != 0 {
		t.Errorf("the next deployment has changed %d things", n)
	}

	p.must("stop", nil)
	if err := engine.Client().ContainerRename(t.Context(), "opensm_before_ibforge", "opensm"); err != nil {
		t.Fatal(err)
	}
	if err := engine.Client().ContainerStart(t.Context(), "opensm", container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	p.masterWithLIDs(t)
}

// forgivesOnlyKayobes has precheck name the processes that are in the way.
func (p *pair) forgivesOnlyKayobes(t *testing.T) {
	t.Helper()
	labtest.OpenSM(t, labtest.Fabric(t, lab.FabricOptions{}), "Hca1")
	_, _, pid := p.state(t, "opensm")
	for adopt, named := range map[bool]bool{false: true, true: false} {
		r, _ := p.act("precheck", map[string]any{"ib_opensm_simulated_fabric": false, "ib_opensm_adopt": adopt})
		if r.code == 0 || strings.Count(r.stdout, "a subnet manager runs already") == 0 {
			t.Errorf("adopt %v: another subnet manager is not named: %v", adopt, r)
		}
		if strings.Contains(r.stdout, fmt.Sprintf("opensm, PID %d;", pid)) != named {
			t.Errorf("adopt %v: PID %d of Kayobe's container: %v", adopt, pid, r)
		}
	}
}

// What was saved is there again, and a backup that is not whole touches nothing.
func TestRestore(t *testing.T) {
	t.Parallel()
	p := newHosts(t, "ctl1")
	p.must("deploy", nil)
	if err := p.awaitMaster("ctl1"); err != nil {
		t.Fatal(err)
	}
	read := func() string { return p.exec("ctl1", "sh", "-c", "cat /var/cache/opensm/note") }
	p.exec("ctl1", "sh", "-c", "echo before >/var/cache/opensm/note")
	p.must("backup", map[string]any{"ib_opensm_backup_dir": p.dir + "/backup"})
	p.exec("ctl1", "sh", "-c", "echo after >/var/cache/opensm/note; touch /var/cache/opensm/later")
	saved, err := filepath.Glob(p.dir + "/backup/ctl1/*")
	if err != nil || len(saved) != 1 {
		t.Fatalf("%q, %v", saved, err)
	}
	if got, err := os.ReadFile(saved[0] + "/config/partitions.conf"); err != nil || !strings.Contains(string(got), "Default=0x7fff") {
		t.Errorf("the saved partitions.conf: %s, %v", got, err)
	}
	sums, err := os.ReadFile(saved[0] + "/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	_, _, pid := p.state(t, "ib_opensm")
	for _, wrong := range []string{strings.Repeat("0", 64) + "  volumes.tar\n", ""} {
		if err := os.WriteFile(saved[0]+"/SHA256SUMS", []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, _ := p.act("restore", map[string]any{"ib_opensm_restore_dir": saved[0]}); r.code == 0 || !strings.Contains(r.stdout, "is no whole backup") {
			t.Errorf("with SHA256SUMS %q: %v", wrong, r)
		}
	}
	if _, _, now := p.state(t, "ib_opensm"); now != pid || !strings.Contains(read(), "after") {
		t.Errorf("a refused restore: PID %d was %d, the note says %s", now, pid, read())
	}
	if err := os.WriteFile(saved[0]+"/SHA256SUMS", sums, 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("restore", map[string]any{"ib_opensm_restore_dir": saved[0]})
	if got := read(); got != "before\n" {
		t.Errorf("after the restore, the note says %q", got)
	}
	if got := p.exec("ctl1", "ls", "/var/cache/opensm"); strings.Contains(got, "later") {
		t.Errorf("what came after the backup is still there: %s", got)
	}
	if got := p.health("ctl1"); !strings.Contains(got, ": master: ") {
		t.Errorf("health: %s", got)
	}
}
