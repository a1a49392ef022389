package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// images is ibforge-images.yml, as far as tests look at it.
type images struct {
	Images map[string]struct {
		Reference, ID, Digest, Pushed, Archive string
	} `yaml:"ibforge_images"`
}

func readImages(t *testing.T, name string) images {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out images
	if err := yaml.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Every destination gets the image; where it can be asked, it gives the same
// image ID.
func TestPush(t *testing.T) { //nolint:tparallel // one after the other: all note what they did in the same images file
	t.Parallel()
	store := sharedStore(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "images.yml")
	id := inspect(t, store, "opensm").ID
	push := func(dest string, env ...string) string {
		t.Helper()
		r := run(t, env, "--store", store, "push", "opensm", dest, "--images-file", file, "--plain-http")
		if r.code != 0 {
			t.Fatal(r)
		}
		return strings.TrimSpace(r.stdout)
	}

	t.Run("registry", func(t *testing.T) {
		registry := labtest.Registry(t)
		digest := push("docker://" + registry.Address() + "/ibforge/opensm:1.0")
		config := registryConfig(t, registry.Address(), digest)
		if config != id {
			t.Errorf("the registry's manifest %s has the configuration %s, want %s", digest, config, id)
		}
		want := registry.Address() + "/ibforge/opensm@" + digest
		if got := readImages(t, file).Images["opensm"].Pushed; got != want {
			t.Errorf("pushed: %q, want %q", got, want)
		}
		if again := push("docker://" + registry.Address() + "/ibforge/opensm:1.0"); again != digest {
			t.Errorf("the same push gives %s, then %s", digest, again)
		}
	})
	t.Run("docker-daemon", func(t *testing.T) {
		docker := labtest.Engine(t, lab.EngineOptions{})
		push("docker-daemon:ibforge/opensm:1.0", "DOCKER_HOST="+docker.Host())
		got, err := docker.Client().ImageInspect(t.Context(), "ibforge/opensm:1.0")
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != id {
			t.Errorf("docker calls it %s, want %s", got.ID, id)
		}
	})
	t.Run("docker-archive", func(t *testing.T) {
		archive := filepath.Join(dir, "opensm.tar")
		push("docker-archive:" + archive)
		if got := readImages(t, file).Images["opensm"].Archive; got != archive {
			t.Errorf("archive: %q, want %q", got, archive)
		}
		docker := labtest.Engine(t, lab.EngineOptions{})
		in, err := os.Open(archive)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		resp, err := docker.Client().ImageLoad(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		// The engine has loaded the image once its answer has ended.
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if _, err := docker.Client().ImageInspect(t.Context(), id); err != nil {
			t.Errorf("docker load has not made %s: %v", id, err)
		}
	})
	t.Run("oci", func(t *testing.T) {
		push("oci:" + dir + "/layout:1.0")
		push("oci-archive:" + dir + "/layout.tar:1.0")
		index, err := os.ReadFile(filepath.Join(dir, "layout/index.json"))
		if err != nil || !strings.Contains(string(index), "sha256:") {
			t.Errorf("index.json: %v: %s", err, index)
		}
		if info, err := os.Stat(filepath.Join(dir, "layout.tar")); err != nil || info.Size() == 0 {
			t.Errorf("layout.tar: %v", err)
		}
	})
	t.Run("containers-storage", func(t *testing.T) {
		other := fmt.Sprintf("containers-storage:[overlay@%s/other+%s/run]localhost/opensm:1.0", dir, dir)
		t.Cleanup(func() {
			// The overlay driver leaves its home mounted on itself.
			if err := syscall.Unmount(dir+"/other/overlay", syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		push(other)
		if layers, err := filepath.Glob(dir + "/other/overlay/*/diff"); err != nil || len(layers) == 0 {
			t.Errorf("the other store has no layer: %v", err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		r := run(t, nil, "--store", store, "push", "opensm", "ftp://example.org/opensm")
		if r.code != 1 || !strings.Contains(r.stderr, "TRANSPORT:DETAILS") {
			t.Error(r)
		}
	})
}

// registryConfig asks a registry for the configuration of a manifest.
func registryConfig(t *testing.T, address, digest string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v2/ibforge/opensm/manifests/"+digest, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var m struct {
		Config struct{ Digest string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m.Config.Digest
}
