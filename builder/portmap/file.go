package portmap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// maxFile bounds the files that are rewritten, which are kept in memory. A
// larger one is no configuration but a path that is wrong.
const maxFile = 16 << 20

// maxLinks is how many symbolic links a path may go through, as in Linux
// (path_resolution(7)).
const maxLinks = 40

// resolve follows the symbolic links of an absolute path as a process whose
// root directory is root would: absolute targets begin at root, and ".." stays
// in it. An *os.Root refuses absolute targets, which services do have. The
// result is relative to root and holds no link.
func resolve(root *os.Root, name string) (string, error) {
	done, rest, links := ".", strings.Split(name, "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		info, err := root.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		links++
		if links > maxLinks {
			return "", syscall.ELOOP
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			done = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}

// original is a file as it was found, open for its attributes.
type original struct {
	*os.File
	info fs.FileInfo
	text []byte
}

// open reads a regular file. The name is one that resolve gave.
func open(root *os.Root, name string) (*original, error) {
	// A named pipe would otherwise wait for somebody to write into it.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	o := &original{File: f}
	if o.info, err = f.Stat(); err == nil {
		o.text, err = read(f, o.info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return o, nil
}

func read(f *os.File, info fs.FileInfo) ([]byte, error) {
	switch {
	case info.IsDir():
		return nil, syscall.EISDIR
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("is no regular file but %s: correct the path", info.Mode().Type())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB, which no configuration is: correct the path", maxFile>>20)
	}
	return text, nil
}

// staged is the new content of a file, written and synchronized beside it
// under a name that neither globs such as *.conf nor a shell's * match.
type staged struct {
	root       *os.Root
	temp, name string
}

// stage writes data beside the file name. With an original it gets the owner,
// the mode and the labels of that.
func stage(root *os.Root, name string, data []byte, like *original) (s staged, err error) {
	s = staged{root: root, temp: beside(name, "ibforge-new"), name: name}
	// What is there was left by a start that was killed; nobody else writes, see
	// the lock in Rewrite.
	if err := root.Remove(s.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	mode := fs.FileMode(0o600)
	if like == nil {
		mode = 0o644
	}
	f, err := root.OpenFile(s.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return s, err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			s.drop()
		}
	}()
	if _, err := f.Write(data); err != nil {
		return s, err
	}
	if like != nil {
		if err := keepAttributes(like, f); err != nil {
			return s, err
		}
	}
	return s, f.Sync()
}

// commit puts the new content in the place of the old.
func (s staged) commit() error {
	if err := s.root.Rename(s.temp, s.name); err != nil {
		s.drop()
		return err
	}
	return syncDir(s.root, path.Dir(s.name))
}

// drop removes the new content; what cannot be removed is removed by the next
// start.
func (s staged) drop() { _ = s.root.Remove(s.temp) }

// beside names a hidden file in the directory of name.
func beside(name, suffix string) string {
	return path.Join(path.Dir(name), "."+path.Base(name)+"."+suffix)
}

func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot synchronize a directory (fsync(2), EINVAL).
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
