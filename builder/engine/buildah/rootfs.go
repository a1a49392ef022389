package buildah

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"github.com/ibforge/ibforge/builder/plan"
)

// rootfs writes the description's files. A file replaces what a package
// brought; a directory that is there keeps its owner and mode.
func (w *working) rootfs(op plan.Rootfs) error {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range op.Files {
		if err := writeFile(root, op.FS, f); err != nil {
			return fmt.Errorf("rootfs/%s: %w", f.Path, err)
		}
	}
	return nil
}

func writeFile(root *os.Root, from fs.FS, f plan.File) error {
	mode, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil {
		return fmt.Errorf("the plan's mode is not octal: %w", err)
	}
	old, err := root.Lstat(f.Path)
	exists := err == nil
	// usr-merge: /lib and its like are links to directories of the image.
	if exists && old.Mode()&fs.ModeSymlink != 0 {
		if target, err := root.Stat(f.Path); err == nil {
			old = target
		}
	}
	isDir := f.SHA256 == "" && f.Target == ""
	switch {
	case isDir && exists && old.IsDir():
		return nil
	case isDir:
		return mkdir(root, f.Path, fs.FileMode(mode))
	case exists && old.IsDir():
		return errors.New("the image has a directory of this name")
	}
	if exists {
		if err := root.Remove(f.Path); err != nil {
			return err
		}
	}
	if err := mkdir(root, path.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if f.Target != "" {
		return root.Symlink(f.Target, f.Path)
	}
	return copyFile(root, from, f.Path, fs.FileMode(mode))
}

func mkdir(root *os.Root, name string, mode fs.FileMode) error {
	if _, err := root.Stat(name); err == nil {
		return nil
	}
	if err := root.MkdirAll(name, mode); err != nil {
		return err
	}
	return root.Chmod(name, mode) // whatever the umask is
}

func copyFile(root *os.Root, from fs.FS, name string, mode fs.FileMode) (err error) {
	src, err := from.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if _, err := io.Copy(dst, src); err != nil {
		return fmt.Errorf("copying into the image: %w", err)
	}
	return dst.Chmod(mode)
}
