package portmap

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// cure says what is wrong with a file, without the name that the reader knows
// already, and what to do.
func cure(err error) string {
	var p *fs.PathError
	var l *os.LinkError
	text := err.Error()
	switch {
	case errors.As(err, &p):
		text = strings.Replace(text, p.Error(), p.Err.Error(), 1)
	case errors.As(err, &l):
		text = strings.Replace(text, l.Error(), l.Err.Error(), 1)
	}
	for _, c := range cures() {
		if errors.Is(err, c.when) {
			return text + ": " + c.do
		}
	}
	return text
}

type knownCure struct {
	when error
	do   string
}

func cures() []knownCure {
	return []knownCure{
		{syscall.ENOENT, "correct the path in the description, or order the unit after the one that makes the file"},
		{syscall.ENOTDIR, "correct the path in the description"},
		{syscall.EISDIR, "the path must be that of a file"},
		{syscall.ELOOP, "look where its symbolic links lead"},
		{syscall.EROFS, `have the file on a volume or a tmpfs, or give the image read_only = false, or the port via = "socket"`},
		{syscall.ENOSPC, "make room in its file system"},
		{syscall.EDQUOT, "make room in its quota"},
		{syscall.EBUSY, "it is a mount of its own, which cannot be replaced: mount its directory"},
		{syscall.EACCES, "a unit with User= needs PermissionsStartOnly=true beside it; as root, look at its mount and its SELinux label"},
		{syscall.EPERM, "a unit with User= needs PermissionsStartOnly=true beside it; as root, look at its owner and its attributes (lsattr)"},
	}
}
