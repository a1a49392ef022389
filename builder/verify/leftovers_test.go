package verify

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type file struct {
	name, text string
	kind       byte
}

func tarOf(t *testing.T, files []file) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text)), Typeflag: tar.TypeReg}
		if f.kind != 0 {
			h.Typeflag = f.kind
		}
		if f.kind == tar.TypeSymlink {
			h.Linkname, h.Size, f.text = f.text, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestScan(t *testing.T) {
	mirror := []string{"mirror.example.internal", ""}
	for _, tc := range []struct {
		name  string
		files []file
		want  string // "" for a clean image
	}{
		{"clean", []file{
			{"etc/machine-id", "", 0}, {"etc/hostname", "localhost\n", 0}, {"etc/resolv.conf", "# by the engine\n", 0},
			{"var/lib/apt/lists/lock", "", 0}, {"var/lib/apt/lists/partial/", "", tar.TypeDir}, {"var/cache/apt/archives/lock", "", 0},
			{"var/log/faillog", "", 0}, {"var/log/alternatives.log", "", 0}, {"var/log/apt/", "", tar.TypeDir},
			{"tmp/", "", tar.TypeDir}, {"root/.cache/", "", tar.TypeDir}, {"etc/ssh/sshd_config", "Port 22", 0},
			{"etc/apt/sources.list", "deb http://deb.debian.org/debian bookworm main", 0}, {"usr/share/x", mirror[0], 0}}, ""},
		{"package lists", []file{{"./var/lib/apt/lists/deb.debian.org_Packages", "abc", 0}}, "package lists: /var/lib/apt/lists/deb.debian.org_Packages (3 bytes)"},
		{"package lists with a full lock", []file{{"var/lib/apt/lists/lock", "1", 0}}, "package lists: /var/lib/apt/lists/lock (1 bytes)"},
		{"examples are few", []file{{"var/cache/apt/pkgcache.bin", "1", 0}, {"var/cache/apt/archives/a.deb", "22", 0}, {"var/cache/apt/archives/b.deb", "22", 0}, {"var/cache/ldconfig/aux-cache", "x", 0}},
			"package caches: /var/cache/apt/pkgcache.bin, /var/cache/apt/archives/a.deb, /var/cache/apt/archives/b.deb and 1 more (6 bytes)"},
		{"logs", []file{{"var/log/dpkg.log", "x", 0}, {"var/log/apt/term.log", "y", 0}}, "logs of the build: /var/log/dpkg.log, /var/log/apt/term.log (2 bytes)"},
		{"backups", []file{{"var/lib/dpkg/status-old", "x", 0}, {"var/cache/debconf/config.dat-old", "y", 0}}, "backups of the package manager: /var/lib/dpkg/status-old, /var/cache/debconf/config.dat-old (2 bytes)"},
		{"machine ID", []file{{"etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0}}, "a machine ID, which all containers would share: /etc/machine-id holds an ID (33 bytes)"},
		{"machine ID unset", []file{{"etc/machine-id", "uninitialized\n", 0}, {"var/lib/dbus/machine-id", "/etc/machine-id", tar.TypeSymlink}}, ""},
		{"machine ID of D-Bus", []file{{"var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n", 0}}, "a machine ID, which all containers would share: /var/lib/dbus/machine-id holds an ID (33 bytes)"},
		{"host name", []file{{"etc/hostname", "build7\n", 0}}, "the build machine's host name: /etc/hostname holds build7 (7 bytes)"},
		{"resolver", []file{{"etc/resolv.conf", "# x\nnameserver 10.0.0.1\n", 0}}, "the build machine's resolver: /etc/resolv.conf holds nameserver 10.0.0.1 (24 bytes)"},
		{"mirror", []file{{"etc/apt/sources.list.d/x.list", "deb http://mirror.example.internal/ x", 0}}, "archive hosts of the build machine: /etc/apt/sources.list.d/x.list names mirror.example.internal (37 bytes)"},
		{"mirror in a large file", []file{{"etc/big", strings.Repeat(" ", maxText) + mirror[0], 0}}, ""},
		{"SSH host keys", []file{{"etc/ssh/ssh_host_ed25519_key", "k", 0}}, "SSH host keys: /etc/ssh/ssh_host_ed25519_key (1 bytes)"},
		{"root's caches", []file{{"root/.cache/pip/x", "k", 0}}, "root's caches: /root/.cache/pip/x (1 bytes)"},
		{"temporary files", []file{{"tmp/x/", "", tar.TypeDir}, {"var/tmp/y", "/x", tar.TypeSymlink}}, "temporary files: /tmp/x, /var/tmp/y (0 bytes)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScan(mirror)
			if err := s.read(tarOf(t, tc.files)); err != nil {
				t.Fatal(err)
			}
			r := s.result()
			if clean := tc.want == ""; (r.status == Pass) != clean {
				t.Errorf("status %s: %s", r.status, r.detail)
			} else if diff := cmp.Diff(tc.want, r.detail); !clean && diff != "" {
				t.Errorf("detail (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScanNeedsAWholeArchive(t *testing.T) {
	whole := tarOf(t, []file{{"etc/passwd", strings.Repeat("x", 2000), 0}}).Bytes()
	for name, data := range map[string][]byte{"empty": nil, "cut": whole[:1000], "no tar": []byte(strings.Repeat("x", 1024))} {
		if err := newScan(nil).read(bytes.NewReader(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
