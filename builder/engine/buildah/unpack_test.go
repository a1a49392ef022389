package buildah

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

func regular(name, content string) (tar.Header, string) {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o4755, Size: int64(len(content))}, content
}

type member struct {
	header  tar.Header
	content string
}

func tarball(t *testing.T, members ...member) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, m := range members {
		if err := w.WriteHeader(&m.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{w, z} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func file(name, content string) member {
	h, c := regular(name, content)
	return member{h, c}
}

func link(kind byte, name, target string) member {
	return member{header: tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o777}}
}

// unpackFile puts data into a file and unpacks it as a payload with this sum.
func unpackFile(t *testing.T, data []byte, sum string, p plan.Payload) (dir string, err error) {
	t.Helper()
	project := t.TempDir()
	if err := os.WriteFile(filepath.Join(project, "product.tgz"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &working{Store: &Store{opts: engine.StoreOptions{Project: project}}}
	p.Name, p.SHA256 = "installer", sum
	if p.Source == "" {
		p.Source = "product.tgz"
	}
	if p.Limit == 0 {
		p.Limit = 1 << 20
	}
	dir = filepath.Join(t.TempDir(), "content")
	return dir, w.unpackPayload(t.Context(), p, dir)
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func TestPayloadIsUnpacked(t *testing.T) {
	data := tarball(t,
		member{header: tar.Header{Name: "product-1/", Typeflag: tar.TypeDir, Mode: 0o700}},
		file("product-1/install.sh", "#!/bin/sh\n"),
		link(tar.TypeSymlink, "product-1/lib/current", "../install.sh"),
		link(tar.TypeLink, "product-1/again.sh", "product-1/install.sh"),
		file("product-1/lib/deep/file", "x"),
		file("product-1/lib/deep/file", "replaced"),
	)
	dir, err := unpackFile(t, data, sumOf(data), plan.Payload{Strip: 1})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(p) //nolint:gosec // G122: nobody else writes here
		got[strings.TrimPrefix(p, dir+"/")] = info.Mode().String() + " " + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"install.sh":    "-rwxr-xr-x #!/bin/sh\n", // the set-user-ID bit is gone
		"again.sh":      "-rwxr-xr-x #!/bin/sh\n",
		"lib/current":   "Lrwxrwxrwx #!/bin/sh\n",
		"lib/deep/file": "-rwxr-xr-x replaced",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPayloadIsRefused(t *testing.T) {
	good := tarball(t, file("a/b", strings.Repeat("content", 100)))
	bomb := tarball(t, file("zeros", strings.Repeat("\x00", 8<<20)))
	for _, tc := range []struct {
		name    string
		data    []byte
		sum     string // of data if empty
		payload plan.Payload
		want    []string
	}{
		{"wrong sum", good, strings.Repeat("0", 64), plan.Payload{}, []string{sumOf(good), strings.Repeat("0", 64), "product.tgz"}},
		{"no such file", good, "", plan.Payload{Source: "other.tgz"}, []string{"other.tgz", "There is no such file"}},
		{"a directory", good, "", plan.Payload{Source: "."}, []string{"no regular file"}},
		{"truncated", good[:len(good)-20], "", plan.Payload{}, []string{"cut off"}},
		{"bomb", bomb, "", plan.Payload{}, []string{"zeros", `"limit"`}},
		{"climbing path", tarball(t, file("a/../../etc/passwd", "")), "", plan.Payload{}, []string{"a/../../etc/passwd", "leads out"}},
		{"absolute path", tarball(t, file("/etc/passwd", "")), "", plan.Payload{}, []string{"leads out"}},
		{"symbolic link out", tarball(t, link(tar.TypeSymlink, "a/b", "../../etc")), "", plan.Payload{}, []string{"../../etc", "outside"}},
		{"absolute link", tarball(t, link(tar.TypeSymlink, "a", "/etc")), "", plan.Payload{}, []string{`"/etc"`, "outside"}},
		{"hard link out", tarball(t, link(tar.TypeLink, "a", "../x")), "", plan.Payload{}, []string{"hard link", "outside"}},
		{"through a link", tarball(t, link(tar.TypeSymlink, "a", "b/c"), file("a/passwd", "")), "", plan.Payload{}, []string{"a/passwd"}},
		{"device", tarball(t, member{header: tar.Header{Name: "sda", Typeflag: tar.TypeBlock}}), "", plan.Payload{}, []string{"sda", "devices"}},
		{"strip leaves nothing", good, "", plan.Payload{Strip: 2}, []string{"a/b", `"strip"`}},
		{"nothing in it", tarball(t), "", plan.Payload{}, []string{"no file"}},
		{"no archive", []byte(strings.Repeat("text ", 300)), "", plan.Payload{}, []string{"no tar archive"}},
		{"empty file", nil, "", plan.Payload{}, []string{"no file"}},
		{"zip", []byte("PK\x03\x04rest"), "", plan.Payload{}, []string{"gzip"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sum := tc.sum
			if sum == "" {
				sum = sumOf(tc.data)
			}
			dir, err := unpackFile(t, tc.data, sum, tc.payload)
			if err == nil {
				t.Fatal("it was unpacked")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if _, err := os.Lstat(filepath.Join(filepath.Dir(dir), "passwd")); err == nil {
				t.Error("it has written beside its directory")
			}
		})
	}
}
