package portmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// keepAttributes gives the new file the owner, the mode, the SELinux label, the
// access list and the user's extended attributes of the old one. Attributes
// that vouch for the content, such as security.ima, are not for the new one.
func keepAttributes(from *original, to *os.File) error {
	have, err := to.Stat()
	if err != nil {
		return err
	}
	want, known := from.info.Sys().(*syscall.Stat_t)
	got, ok := have.Sys().(*syscall.Stat_t)
	if known && ok && (want.Uid != got.Uid || want.Gid != got.Gid) {
		if err := to.Chown(int(want.Uid), int(want.Gid)); err != nil {
			return fmt.Errorf("keeping its owner %d:%d: %w", want.Uid, want.Gid, err)
		}
	}
	if err := to.Chmod(from.info.Mode()); err != nil { // after chown, which clears set-user-ID
		return err
	}
	names, err := attributeNames(from.File)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := keepAttribute(from.File, to, name); err != nil {
			return fmt.Errorf("keeping its attribute %s: %w", name, err)
		}
	}
	return nil
}

func keepAttribute(from, to *os.File, name string) error {
	label := name == "security.selinux"
	if !label && name != "system.posix_acl_access" && !strings.HasPrefix(name, "user.") {
		return nil
	}
	want, err := attribute(from, name)
	if err != nil {
		return err
	}
	if have, err := attribute(to, name); err == nil && bytes.Equal(want, have) {
		return nil
	}
	err = syscall.Setxattr(link(to), name, want, 0)
	// In a container SELinux most often fixes the label by the mount, and the
	// new file has it already.
	if label && (errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)) {
		return nil
	}
	return err //nolint:wrapcheck // the caller names the attribute
}

// link is a path that leads to an open file, whatever its name is by now.
// Package syscall has the calls for extended attributes by path only.
func link(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

func attributeNames(f *os.File) ([]string, error) {
	list, err := grown(func(buf []byte) (int, error) { return syscall.Listxattr(link(f), buf) })
	switch {
	case errors.Is(err, syscall.ENOTSUP):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing its extended attributes: %w", err)
	}
	return strings.FieldsFunc(string(list), func(r rune) bool { return r == 0 }), nil
}

func attribute(f *os.File, name string) ([]byte, error) {
	return grown(func(buf []byte) (int, error) { return syscall.Getxattr(link(f), name, buf) })
}

// grown calls get with a buffer of the largest size that there is for names
// and for a value (xattr(7): 64 KiB each).
func grown(get func([]byte) (int, error)) ([]byte, error) {
	buf := make([]byte, 64<<10)
	n, err := get(buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
