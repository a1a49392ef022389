package verify_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/verify"
)

func check(t *testing.T, r verify.Report, id string) verify.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("the report has no check %s", id)
	return verify.Check{}
}

// testOverride puts a host directory in place of the config volume: the
// service then has its text, and the report says so.
func testOverride(t *testing.T, endpoint string, base *layer) {
	v := variant{name: "override", contract: func(c *contract.Contract) {
		c.Health.Command = []string{"/bin/grep", "-q", "from the host", "/var/lib/probe/state"}
		c.Health.StartPeriodSeconds = 0
	}}
	img, a := v.image(t, base)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "greeting"), []byte("from the host\n"), 0o644))
	o := verify.VolumeOverride{Host: dir, Path: "/etc/probe", ReadOnly: true}
	r, err := verify.Run(t.Context(), img, a, verify.Options{Host: endpoint, Volumes: []verify.VolumeOverride{o}})
	must(t, err)
	checkReport(t, v, r)
	if got, want := strings.Join(r.Additions, "\n"), `volume `+o.String()+`, in place of volume "config"`; !strings.Contains(got, want) {
		t.Errorf("additions %q lack %q", got, want)
	}
	without, err := verify.Run(t.Context(), img, a, verify.Options{Host: endpoint})
	must(t, err)
	if c := check(t, without, "health"); c.Status != verify.Fail {
		t.Errorf("without the override health is %+v", c)
	}
	checkNothingLeft(t, endpoint, r)
	missing := verify.VolumeOverride{Host: dir + "/nothing", Path: "/extra"}
	refused, err := verify.Run(t.Context(), img, a, verify.Options{Host: endpoint, Volumes: []verify.VolumeOverride{missing}})
	must(t, err)
	if c := check(t, refused, "container.made"); c.Status != verify.Fail || !strings.Contains(c.Detail, dir+"/nothing") {
		t.Errorf("with a missing directory: %+v", c)
	}
	checkNothingLeft(t, endpoint, r)
}

func testOtherImage(t *testing.T, endpoint string, base *layer) {
	img, _ := variant{name: "asked-for"}.image(t, base)
	_, other := variant{name: "other", files: map[string]string{"etc/other": "x"}}.image(t, base)
	img.ID = "sha256:" + strings.Repeat("0", 64)
	r, err := verify.Run(t.Context(), img, other, verify.Options{Host: endpoint})
	must(t, err)
	c := check(t, r, "image.id")
	if want := "the archive holds image " + other.id + ", not " + img.ID; c.Status != verify.Fail || c.Detail != want {
		t.Errorf("image.id is %+v, want the detail %q", c, want)
	}
	if c := check(t, r, "systemd.running"); c.Status != verify.Skip || c.Detail != "the engine does not have the image" {
		t.Errorf("systemd.running is %+v", c)
	}
}

var errCutShort = errors.New("the store is gone")

// cut is a source that breaks off in the middle of the archive.
type cut struct{ *archive }

func (c cut) DockerArchive(ctx context.Context, w io.Writer) error {
	return c.archive.DockerArchive(ctx, io.MultiWriter(w, &limited{n: 1 << 10}))
}

type limited struct{ n int }

func (l *limited) Write(p []byte) (int, error) {
	if l.n -= len(p); l.n < 0 {
		return 0, errCutShort
	}
	return len(p), nil
}

func testSourceFails(t *testing.T, endpoint string, base *layer) {
	img, a := variant{name: "cut", files: map[string]string{"etc/cut": "x"}}.image(t, base)
	r, err := verify.Run(t.Context(), img, cut{a}, verify.Options{Host: endpoint})
	must(t, err)
	if c := check(t, r, "image.id"); c.Status != verify.Fail || !strings.Contains(c.Detail, errCutShort.Error()) {
		t.Errorf("image.id is %+v, want the source's error", c)
	}
}

func testOtherContract(t *testing.T, endpoint string, base *layer) {
	img, a := variants()[0].image(t, base)
	img.Contract.Modules = []string{"ib_umad"}
	r, err := verify.Run(t.Context(), img, a, verify.Options{Host: endpoint})
	must(t, err)
	if c := check(t, r, "image.contract"); c.Status != verify.Fail || c.Detail != `modules: the label has [], the description ["ib_umad"]` {
		t.Errorf("image.contract is %+v", c)
	}
}

// testCancel cancels while systemd boots, which this image never ends.
func testCancel(t *testing.T, endpoint string, base *layer) {
	img, a := variant{name: "hangs", files: unit("[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n")}.image(t, base)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	api := newClient(t, endpoint)
	go func() {
		for ctx.Err() == nil {
			if list, err := api.ContainerList(ctx, container.ListOptions{}); err == nil && len(list) > 0 {
				cancel() // a container is listed without All only while it runs
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	r, err := verify.Run(ctx, img, a, verify.Options{Host: endpoint})
	if !errors.Is(err, context.Canceled) || r.OK() || r.Aborted == "" {
		t.Errorf("Run = %v, OK %t, aborted %q", err, r.OK(), r.Aborted)
	}
	checkNothingLeft(t, endpoint, r)
}

func testKeep(t *testing.T, endpoint string, base *layer) {
	img, a := variants()[0].image(t, base)
	r, err := verify.Run(t.Context(), img, a, verify.Options{Host: endpoint, Keep: true})
	must(t, err)
	checkReport(t, variants()[0], r)
	if len(r.Kept) != 3 {
		t.Fatalf("kept: %q, want a command for the container and two volumes", r.Kept)
	}
	api := newClient(t, endpoint)
	list, err := api.ContainerList(t.Context(), container.ListOptions{All: true})
	must(t, err)
	if len(list) != 1 || !strings.HasSuffix(r.Kept[0], list[0].Names[0][1:]) {
		t.Fatalf("containers %+v, the report says %q", list, r.Kept)
	}
	must(t, api.ContainerRemove(t.Context(), list[0].ID, container.RemoveOptions{RemoveVolumes: true}))
	volumes, err := api.VolumeList(t.Context(), volume.ListOptions{})
	must(t, err)
	for _, v := range volumes.Volumes {
		must(t, api.VolumeRemove(t.Context(), v.Name, false))
	}
	checkNothingLeft(t, endpoint, r)
}
