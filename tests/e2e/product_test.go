package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/ibforge/ibforge/tests/lab"
	"github.com/ibforge/ibforge/tests/lab/labtest"
)

// productHCL is a small product that listens on two ports of its own choice:
// one stands in a file, one in the program's arguments.
const productHCL = `variable "sum" { type = string }
image "product" {
  description = "A product with an installer"
  from        = image.systemd-base

  payload "installer" {
    source   = "product.tgz"
    sha256   = var.sum
    unpack   = "/opt/installer/files"
    strip    = 1
    supplier = "this test has it"
  }
  run "install" {
    command  = ["/bin/sh", "-e", "/opt/installer/files/install.sh"]
    payloads = ["installer"]
  }
  unit "web.service" { state = "enabled" }
  unit "fixed.service" { state = "enabled" }

  runtime {
    port "web" {
      listens = 10080
      host    = 18880
      via     = "config"
      unit    = "web.service"
      rewrite "/etc/product/web.conf" { match = "^LISTEN={port}$" }
    }
    port "fixed" {
      listens = 10443
      host    = 18443
      via     = "socket"
      unit    = "fixed.service"
      address = "loopback"
      guarded = true
    }
  }
}
`

// installSh leaves something of itself in every place that an installer
// usually writes to.
const installSh = `cd /opt/installer/files
test -f LICENCE-KEY
echo unpacked >>log-of-the-installer
mkdir -p /etc/product /etc/systemd/system /opt/product
printf 'LISTEN=10080\n# LISTEN=100801\n' >/etc/product/web.conf
cp program /opt/product/program
chmod 755 /opt/product/program
cat >/etc/systemd/system/web.service <<'EOF'
[Service]
EnvironmentFile=/etc/product/web.conf
ExecStart=/opt/product/program -l ${LISTEN} /bin/cat
[Install]
WantedBy=multi-user.target
EOF
cat >/etc/systemd/system/fixed.service <<'EOF'
[Service]
ExecStart=/opt/product/program -l 127.0.0.1:10443 /bin/cat
[Install]
WantedBy=multi-user.target
EOF
`

// product makes a project whose one product comes from a payload, and gives
// the flag with the payload's sum.
func product(t *testing.T) (dir, sum string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "images/systemd-base"), os.DirFS(filepath.Join(root, "images/systemd-base"))); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := gzip.NewWriter(&archive)
	w := tar.NewWriter(z)
	for name, content := range map[string]string{
		"install.sh":  installSh,
		"LICENCE-KEY": "not for everybody",
		// Listens on a port and hands connections on, without a word of
		// configuration that one could move it by.
		"program": "#!/bin/sh\nexec /usr/bin/systemd-socket-activate \"$@\"\n",
	} {
		if err := w.WriteHeader(&tar.Header{Name: "product-1/" + name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close(), os.Mkdir(filepath.Join(dir, "images/product"), 0o755),
		os.WriteFile(filepath.Join(dir, "product.tgz"), archive.Bytes(), 0o644),
		os.WriteFile(filepath.Join(dir, "images/product/image.ibforge.hcl"), []byte(productHCL), 0o644)); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(archive.Bytes())
	return dir, "sum=" + hex.EncodeToString(digest[:])
}

// A product is built from its payload, boots with its ports where the contract
// says, and none of its layers has the payload; without its hooks it does not
// listen at all.
func TestProduct(t *testing.T) { //nolint:tparallel // its parts use the same machine
	onMachine(t)
	store := sharedStore(t)
	docker := labtest.Engine(t, lab.EngineOptions{})
	dir, sum := product(t)
	companions(t)
	ok(t, "-C", dir, "--store", store, "build", "--var", sum, "product")

	t.Run("layers", func(t *testing.T) {
		var names []string
		for name, content := range layerFiles(t, store, "product") {
			names = append(names, name)
			if strings.Contains(content, "not for everybody") || strings.Contains(name, "installer") {
				t.Errorf("a layer has /%s of the payload", name)
			}
		}
		if !strings.Contains(strings.Join(names, "\n"), "opt/product/program") {
			t.Errorf("the product is not in the layers: %q", names)
		}
	})
	t.Run("verify", func(t *testing.T) {
		r := ok(t, "-C", dir, "--store", store, "verify", "--host", docker.Host(), "product")
		for _, want := range []string{"18880/tcp, 18443/tcp", "cgroup /ibforge-verify-"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("the report lacks %q:\n%s", want, r.stdout)
			}
		}
	})
	t.Run("another sum", func(t *testing.T) {
		r := run(t, nil, "-C", dir, "--store", store, "build", "--var", "sum="+strings.Repeat("0", 64), "product")
		if r.code != 1 || !strings.Contains(r.stderr, "Payload has another SHA-256") || !strings.Contains(r.stderr, strings.TrimPrefix(sum, "sum=")) {
			t.Error(r)
		}
	})
	t.Run("without hooks", func(t *testing.T) { testWithoutHooks(t, docker, store) })
	t.Run("podman", func(t *testing.T) { testPodman(t, store) })
}

// testWithoutHooks starts the product as somebody would who knows nothing of
// hooks: what cannot be moved must not listen.
func testWithoutHooks(t *testing.T, docker *lab.Engine, store string) {
	api := docker.Client()
	config := &container.Config{Image: inspect(t, store, "product").ID}
	host := &container.HostConfig{NetworkMode: "host", CgroupnsMode: "host", Binds: []string{"/sys/fs/cgroup:/sys/fs/cgroup:ro"},
		Tmpfs: map[string]string{"/run": "", "/run/lock": "", "/tmp": ""}}
	c, err := api.ContainerCreate(t.Context(), config, host, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.ContainerRemove(t.Context(), c.ID, container.RemoveOptions{Force: true}); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	if err := api.ContainerStart(t.Context(), c.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	var text string
	waitFor(t, "the product's unit to fail", func() bool {
		text = execIn(t, docker, c.ID, "systemctl", "status", "--no-pager", "--full", "fixed.service")
		return strings.Contains(text, "Failed to start") || strings.Contains(text, "Failed with result")
	})
	_ = execIn(t, docker, c.ID, "journalctl", "--sync")
	text = execIn(t, docker, c.ID, "journalctl", "--no-pager", "-u", "fixed.service")
	if !strings.Contains(text, "ibforge-portmap") {
		t.Errorf("the unit's journal does not tell the cure:\n%s", text)
	}
	if state := execIn(t, docker, c.ID, "systemctl", "is-active", "web.service"); !strings.HasPrefix(state, "active") {
		t.Errorf("the unit whose port is in a file is %s", state)
	}
	if open := listening(t); open[10443] || open[10080] {
		t.Errorf("a port is open where the product wants it: %v", open)
	}
}

// layerFiles are the regular files of all layers of an image, by path.
func layerFiles(t *testing.T, store, name string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	ok(t, "--store", store, "push", name, "docker-archive:"+file, "--images-file", filepath.Join(t.TempDir(), "images.yml"))
	outer := tarFiles(t, file)
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal([]byte(outer["manifest.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, layer := range manifest[0].Layers {
		for path, content := range readTar(t, strings.NewReader(outer[layer])) {
			out[path] = content
		}
	}
	return out
}

func tarFiles(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return readTar(t, f)
}

func readTar(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	out := map[string]string{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			out[h.Name] = string(content)
		} else if h.Typeflag != tar.TypeDir {
			out[h.Name] = ""
		}
	}
}
