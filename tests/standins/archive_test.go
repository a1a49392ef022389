package standins_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ibforge/ibforge/tests/standins"
)

// tree writes one and the same tree, in an order, with times and modes that
// differ from call to call.
func tree(t *testing.T, names []string, mode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "product-1.2")
	for i, name := range names {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), mode|0o700); err != nil {
			t.Fatal(err)
		}
		perm := mode
		if strings.HasSuffix(name, ".sh") {
			perm |= 0o100
		}
		if err := os.WriteFile(file, []byte("content of "+name+"\n"), perm); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(1e9+i), int64(i))
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("install.sh", filepath.Join(dir, "setup")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestArchiveIsTheSameForTheSameTree(t *testing.T) {
	one, sum, err := standins.Archive(tree(t, []string{"install.sh", "repo/b", "repo/a"}, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	two, again, err := standins.Archive(tree(t, []string{"repo/a", "repo/b", "install.sh"}, 0o666) + "/")
	if err != nil {
		t.Fatal(err)
	}
	if sum != again || !bytes.Equal(one, two) {
		t.Errorf("sums differ: %s and %s", sum, again)
	}
	if want := sha256.Sum256(one); hex.EncodeToString(want[:]) != sum {
		t.Errorf("sum is %s, sha256 of the archive %x", sum, want)
	}
	want := `product-1.2/ 755
product-1.2/install.sh 755 content of install.sh
product-1.2/repo/ 755
product-1.2/repo/a 644 content of repo/a
product-1.2/repo/b 644 content of repo/b
product-1.2/setup 777 -> install.sh
`
	if got := listed(t, one); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestArchiveRefusesWhatIsNoFile(t *testing.T) {
	dir := tree(t, []string{"install.sh"}, 0o644)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := standins.Archive(dir)
	if err == nil || !strings.Contains(err.Error(), "pipe is neither directory, regular file nor symbolic link") {
		t.Errorf("got %v", err)
	}
	if _, _, err := standins.Archive(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func listed(t *testing.T, tgz []byte) string {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(tgz))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.ModTime.Unix() != 1577836800 {
			t.Errorf("%s belongs to %d:%d and is of %s", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%s %o %s", header.Name, header.Mode, content)
		if header.Linkname != "" {
			line += "-> " + header.Linkname
		}
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}
