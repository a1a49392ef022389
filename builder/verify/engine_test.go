package verify_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/verify"
)

func checkReport(t *testing.T, v variant, r verify.Report) {
	t.Helper()
	got := map[string]verify.Status{}
	for _, c := range r.Checks {
		if c.Status != verify.Pass {
			got[c.ID] = c.Status
		}
		if says := v.says[c.ID]; !strings.Contains(c.Detail, says) {
			t.Errorf("%s says %q, which lacks %q", c.ID, c.Detail, says)
		}
	}
	want := map[string]verify.Status{"host.devices": verify.Skip}
	for id, s := range v.want {
		want[id] = s
	}
	if diff := cmp.Diff(want, got); diff != "" {
		var text strings.Builder
		must(t, r.WriteText(&text, false))
		t.Errorf("checks that did not pass (-want +got):\n%s\n%s", diff, text.String())
	}
	failed := slices.ContainsFunc(r.Checks, func(c verify.Check) bool { return c.Status == verify.Fail })
	if len(r.Checks) != 18 || r.OK() == failed {
		t.Errorf("OK() = %t with %d checks, failed: %t", r.OK(), len(r.Checks), failed)
	}
}

// checkNothingLeft looks for what a run must have removed. Of cgroups it knows
// its own by the report: other tests run on this machine at the same time.
func checkNothingLeft(t *testing.T, endpoint string, r verify.Report) {
	t.Helper()
	api := newClient(t, endpoint)
	containers, err := api.ContainerList(context.Background(), container.ListOptions{All: true})
	must(t, err)
	volumes, err := api.VolumeList(context.Background(), volume.ListOptions{})
	must(t, err)
	if len(containers) > 0 || len(volumes.Volumes) > 0 {
		t.Errorf("left in the engine: %d containers, %d volumes", len(containers), len(volumes.Volumes))
	}
	// The unified tree is at either place, depending on the machine.
	err = filepath.WalkDir("/sys/fs/cgroup", func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), "ibforge-verify-") && strings.Contains(strings.Join(r.Additions, "\n"), d.Name()) {
			t.Errorf("left: cgroup %s", p)
		}
		return nil
	})
	must(t, err)
}

func TestInEngine(t *testing.T) {
	requireLab(t)
	base := newLayer(t)
	endpoint := startEngine(t, false)
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			img, a := v.image(t, base)
			v.options.Host = endpoint
			r, err := verify.Run(t.Context(), img, a, v.options)
			must(t, err)
			checkReport(t, v, r)
			checkNothingLeft(t, endpoint, r)
		})
	}
	t.Run("known image is not loaded again", func(t *testing.T) {
		img, a := variants()[0].image(t, base)
		r, err := verify.Run(t.Context(), img, a, verify.Options{Host: endpoint})
		must(t, err)
		checkReport(t, variants()[0], r)
		if a.loads != 0 {
			t.Errorf("the archive was asked for %d times", a.loads)
		}
	})
	t.Run("volumes", func(t *testing.T) { testOverride(t, endpoint, base) })
	t.Run("other image in the archive", func(t *testing.T) { testOtherImage(t, endpoint, base) })
	t.Run("source fails", func(t *testing.T) { testSourceFails(t, endpoint, base) })
	t.Run("other contract", func(t *testing.T) { testOtherContract(t, endpoint, base) })
	t.Run("cancel", func(t *testing.T) { testCancel(t, endpoint, base) })
	t.Run("keep", func(t *testing.T) { testKeep(t, endpoint, base) })
}

// TestInEngineOnCgroup2 is short: only what depends on the cgroup is proven again.
func TestInEngineOnCgroup2(t *testing.T) {
	requireLab(t)
	base := newLayer(t)
	endpoint := startEngine(t, true)
	for _, v := range variants() {
		if !slices.Contains([]string{"valid", "valid-writable-root", "invalid-ignores-stop", "invalid-failed-unit"}, v.name) {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			img, a := v.image(t, base)
			v.options.Host = endpoint
			r, err := verify.Run(t.Context(), img, a, v.options)
			must(t, err)
			if r.Engine.CgroupVersion != "2" {
				t.Fatalf("the engine has cgroup version %s", r.Engine.CgroupVersion)
			}
			checkReport(t, v, r)
			checkNothingLeft(t, endpoint, r)
		})
	}
	t.Run("cancel", func(t *testing.T) { testCancel(t, endpoint, base) })
}
