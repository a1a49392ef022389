package verify_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// archive is an image as docker-archive: a base layer and a small one on top.
type archive struct {
	id     string
	name   string
	base   *layer
	top    []byte
	config []byte
	// loads counts the calls of DockerArchive.
	loads int
}

type imageConfig struct {
	Cmd     []string            `json:"Cmd"`
	Env     []string            `json:"Env"`
	Labels  map[string]string   `json:"Labels"`
	Volumes map[string]struct{} `json:"Volumes,omitempty"`
}

// newArchive makes an image. Files ending in a slash are directories, a text
// that starts with "-> " makes a symbolic link, and a mode of 0755 is given to
// those that start with "#!".
func newArchive(t *testing.T, name string, base *layer, files map[string]string, config imageConfig) *archive {
	t.Helper()
	a := &archive{name: name, base: base}
	var top bytes.Buffer
	w := tar.NewWriter(&top)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		text := files[path]
		h := &tar.Header{Name: path, Mode: 0o644, Size: int64(len(text)), ModTime: time.Unix(1700000000, 0), Typeflag: tar.TypeReg}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			h.Typeflag, h.Linkname, h.Size, text = tar.TypeSymlink, target, 0, ""
		} else if strings.HasPrefix(text, "#!") {
			h.Mode = 0o755
		} else if strings.HasSuffix(path, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		must(t, w.WriteHeader(h))
		_, err := io.WriteString(w, text)
		must(t, err)
	}
	must(t, w.Close())
	a.top = top.Bytes()

	topSum := sha256.Sum256(a.top)
	var err error
	a.config, err = json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{base.diffID, "sha256:" + hex.EncodeToString(topSum[:])}},
	})
	must(t, err)
	idSum := sha256.Sum256(a.config)
	a.id = "sha256:" + hex.EncodeToString(idSum[:])
	return a
}

// DockerArchive writes the form of `docker save`.
func (a *archive) DockerArchive(_ context.Context, out io.Writer) error {
	a.loads++
	w := tar.NewWriter(out)
	configName := strings.TrimPrefix(a.id, "sha256:") + ".json"
	manifest, err := json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{a.name}, "Layers": []string{"base.tar", "top.tar"}}})
	if err != nil {
		return err
	}
	base, err := os.Open(a.base.file)
	if err != nil {
		return err
	}
	defer base.Close()
	info, err := base.Stat()
	if err != nil {
		return err
	}
	baseSize := info.Size()
	if a.base.sent {
		baseSize = 0
	}
	for _, f := range []struct {
		name string
		size int64
		data io.Reader
	}{
		{"manifest.json", int64(len(manifest)), bytes.NewReader(manifest)},
		{configName, int64(len(a.config)), bytes.NewReader(a.config)},
		{"base.tar", baseSize, io.LimitReader(base, baseSize)},
		{"top.tar", int64(len(a.top)), bytes.NewReader(a.top)},
	} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: f.size, Mode: 0o644}); err != nil {
			return err
		}
		if _, err := io.Copy(w, f.data); err != nil {
			return err
		}
	}
	a.base.sent = true
	return w.Close()
}
