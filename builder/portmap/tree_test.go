package portmap

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes a root directory with files; a content that begins with "-> " is
// the target of a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		put(t, root, name, content)
	}
	return root
}

func put(t *testing.T, root, name, content string) {
	t.Helper()
	name = filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		err = os.Symlink(target, name)
	} else {
		err = os.WriteFile(name, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads a tree back, as tree takes it.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		short := strings.TrimPrefix(name, root)
		if d.Type()&os.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			out[short] = "-> " + target
			return err
		}
		data, err := os.ReadFile(name) //nolint:gosec // nobody else writes into a test's directory
		out[short] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func with(files map[string]string, more map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, files)
	maps.Copy(out, more)
	return out
}
