package overlay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// Disk is the part of an [os.Root] that is used here. Names are relative to the
// configuration, and none may lead out of it, be it through a symbolic link.
type Disk interface {
	Lstat(name string) (fs.FileInfo, error)
	ReadFile(name string) ([]byte, error)
	Readlink(name string) (string, error)
	FS() fs.FS

	Mkdir(name string, perm fs.FileMode) error
	WriteFile(name string, data []byte, perm fs.FileMode) error
	Symlink(target, name string) error
	Rename(from, to string) error
	Remove(name string) error
	RemoveAll(name string) error
}

var _ Disk = (*os.Root)(nil)

// look reads what is at a name; nil where there is nothing.
func look(d Disk, name string) (*Node, error) {
	info, err := d.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%s: a part of the path is a file, and a directory is needed; move the file away", name)
	case err != nil:
		return nil, fmt.Errorf("%w%s", err, escapeCure(err))
	case info.IsDir():
		return &Node{Other: "a directory"}, nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := d.Readlink(name)
		if err != nil {
			return nil, err
		}
		n := Link(target)
		return &n, nil
	case !info.Mode().IsRegular():
		return &Node{Other: "neither a file nor a link"}, nil
	}
	raw, err := d.ReadFile(name)
	if err != nil {
		return nil, err
	}
	n := File(string(raw))
	return &n, nil
}

// escapeCure helps where a link leads out of the configuration. [os.Root] has
// no error value for that.
func escapeCure(err error) string {
	if strings.Contains(err.Error(), "escapes") {
		return ": a symbolic link leads out of the configuration, and nothing is written there; replace the link with a directory"
	}
	return ""
}

// parents are the directories above a name, the outermost first.
func parents(name string) []string {
	var out []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		out = append([]string{dir}, out...)
	}
	return out
}

// missing are the parents of a name that are not there.
func missing(d Disk, name string) ([]string, error) {
	var out []string
	for _, dir := range parents(name) {
		_, err := d.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			out = append(out, dir)
		} else if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func mkdirs(d Disk, name string) error {
	dirs, err := missing(d, name)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := d.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// scratch is where files are made before they are renamed to their places. It
// is no place that Ansible or Kayobe reads.
const scratch = ".ibforge/tmp"

// put writes a node by rename: a reader sees the old or the new one. A file
// that is there keeps its mode.
func put(d Disk, name string, n Node) error {
	if err := mkdirs(d, name); err != nil {
		return err
	}
	made := scratch + "/node"
	if err := mkdirs(d, made); err != nil {
		return err
	}
	if err := d.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mode := fs.FileMode(0o644)
	if info, err := d.Lstat(name); err == nil && info.Mode().IsRegular() {
		mode = info.Mode().Perm()
	}
	var err error
	if n.Link {
		err = d.Symlink(n.Text, made)
	} else {
		err = d.WriteFile(made, []byte(n.Text), mode)
	}
	if err != nil {
		return err
	}
	return d.Rename(made, name)
}

func remove(d Disk, name string) error {
	if err := d.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
