package buildah

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxEntries bounds an archive of nothing but names.
const maxEntries = 1 << 20

// unpacker writes a tar archive below a directory. It refuses what could reach
// out of it, instead of leaving it out: an archive that tries is not what its
// supplier made. os.Root is the second line of defence.
type unpacker struct {
	root    *os.Root
	strip   int
	limit   int64
	entries int
}

func (u *unpacker) all(archive io.Reader) error {
	t := tar.NewReader(archive)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if u.entries == 0 {
				return errors.New("it holds no file")
			}
			return nil
		}
		if err != nil {
			return truncated(err)
		}
		u.entries++
		if u.entries > maxEntries {
			return fmt.Errorf("it has more than %d entries", maxEntries)
		}
		if err := u.entry(h, t); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, truncated(err))
		}
	}
}

// truncated says what an unexpected end means.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("the archive ends in the middle: it was cut off")
	}
	if errors.Is(err, tar.ErrHeader) {
		return errors.New("it is no tar archive")
	}
	return err
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := u.name(h.Name)
	if err != nil {
		return err
	}
	if name == "" {
		if h.Typeflag != tar.TypeDir {
			return fmt.Errorf("\"strip\" takes %d parts off every path, and nothing is left of this one", u.strip)
		}
		return nil
	}
	if h.Typeflag == tar.TypeDir {
		return mkdir(u.root, name, 0o755)
	}
	if err := mkdir(u.root, path.Dir(name), 0o755); err != nil {
		return err
	}
	// A later entry of the same name replaces the earlier one, as with tar(1).
	if err := u.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return u.file(name, h, content)
	case tar.TypeSymlink:
		//nolint:gosec // G305: the path is judged here, and root does not leave its directory
		if target := path.Join(path.Dir(name), h.Linkname); path.IsAbs(h.Linkname) || climbs(target) {
			return fmt.Errorf("it is a symbolic link to %q, which is outside of the archive", h.Linkname)
		}
		return u.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		target, err := u.name(h.Linkname)
		if err != nil || target == "" {
			return fmt.Errorf("it is a hard link to %q, which is outside of the archive", h.Linkname)
		}
		return u.root.Link(target, name)
	}
	return fmt.Errorf("it is neither a directory, a regular file nor a link (tar type %q); devices and pipes are not unpacked", h.Typeflag)
}

// name judges the path of an entry and takes the leading parts off.
func (u *unpacker) name(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || climbs(clean) || strings.ContainsRune(name, 0) {
		return "", errors.New("its path leads out of the archive")
	}
	parts := strings.Split(clean, "/")
	if clean == "." || len(parts) <= u.strip {
		return "", nil
	}
	return strings.Join(parts[u.strip:], "/"), nil
}

// climbs tells of a clean relative path that climbs.
func climbs(p string) bool { return p == ".." || strings.HasPrefix(p, "../") }

func (u *unpacker) file(name string, h *tar.Header, content io.Reader) (err error) {
	// The header's size is bounded before, the content's while it is written:
	// a sparse file is larger than what the archive holds of it.
	if u.limit -= h.Size; u.limit < 0 {
		return errors.New("the content is larger than the block's \"limit\" allows; raise it if the file is what it should be")
	}
	mode := h.FileInfo().Mode().Perm()&0o755 | 0o600
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.CopyN(f, content, h.Size); err != nil {
		return fmt.Errorf("its content: %w", err)
	}
	return f.Chmod(mode)
}
