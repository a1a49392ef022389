package buildah

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// leftovers are what package managers and maintainer scripts leave behind:
// caches, logs and backups that differ from build to build, and facts about
// the build host. path.Match patterns, relative to the image's root.
func leftovers() []string {
	return []string{
		"run/*", "tmp/*", "var/tmp/*",
		"var/cache/apt/*", "var/lib/apt/lists/*", "var/cache/ldconfig/*", "var/cache/debconf/*-old",
		"var/log/apt", "var/log/*.log", "var/log/dpkg.log*",
		"var/lib/dpkg/*-old", "var/lib/dpkg/lock*",
		"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
		"etc/.pwd.lock", "var/lib/systemd/random-seed", "var/lib/systemd/catalog/database",
		// mmdebstrap copies these two from the build host.
		"etc/hostname", "etc/resolv.conf",
		"var/lib/dbus/machine-id",
	}
}

// clean removes leftovers and what the description prunes, and empties the
// machine ID: a machine gets its own at its first boot (machine-id(5)).
//
// All paths are resolved by os.Root, so that a symbolic link in an image
// cannot lead to a file of the build host.
func (w *working) clean(prune []string) error {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return err
	}
	defer root.Close()
	patterns := leftovers()
	for _, p := range prune {
		patterns = append(patterns, strings.TrimPrefix(p, "/"))
	}
	for _, p := range patterns {
		matches, err := glob(root, p)
		if err != nil {
			return fmt.Errorf("pruning %q: %w", "/"+p, err)
		}
		for _, m := range matches {
			if err := root.RemoveAll(m); err != nil {
				return fmt.Errorf("pruning %q: %w", "/"+m, err)
			}
		}
	}
	if _, err := root.Lstat("etc/machine-id"); err == nil {
		return root.WriteFile("etc/machine-id", nil, 0o444)
	}
	return nil
}

// glob is fs.Glob that follows no symbolic link out of root, and takes a
// directory that is not there, or not a directory, as empty.
func glob(root *os.Root, pattern string) ([]string, error) {
	matches := []string{"."}
	for _, elem := range strings.Split(pattern, "/") {
		var next []string
		for _, dir := range matches {
			if !strings.ContainsAny(elem, `*?[\`) {
				name := path.Join(dir, elem)
				if _, err := root.Lstat(name); err == nil {
					next = append(next, name)
				}
				continue
			}
			entries, err := readDir(root, dir)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				ok, err := path.Match(elem, e.Name())
				if err != nil {
					return nil, fmt.Errorf("matching %q with %q: %w", elem, e.Name(), err)
				}
				if ok {
					next = append(next, path.Join(dir, e.Name()))
				}
			}
		}
		matches = next
	}
	return matches, nil
}

func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	info, err := root.Stat(dir)
	if link, lerr := root.Lstat(dir); err != nil && lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
		// It dangles, or is absolute, which os.Root does not follow: what it
		// shows has a path of its own in the image, if it is there.
		return nil, nil
	}
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return fs.ReadDir(root.FS(), dir)
}
