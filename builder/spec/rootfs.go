package spec

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// errLeaves and errLoop are the ways in which a symbolic link can be bad.
var (
	errLeaves = errors.New("leads out of the tree")
	errLoop   = errors.New("is part of a loop of links")
)

// maxHops is the kernel's own limit, path_resolution(7).
const maxHops = 40

// follow resolves name, which is relative to dir, within fsys, link by link.
// With asImage, fsys is the root of an image: absolute targets start there
// again, and a target may be missing because a package brings it. Without, an
// absolute target leads out.
func follow(fsys fs.FS, dir, name string, asImage bool) (string, error) {
	here := dir
	rest := strings.Split(name, "/")
	if asImage && path.IsAbs(name) {
		here = "."
	}
	for hops := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if here == "." {
				return "", errLeaves
			}
			here = path.Dir(here)
			continue
		}
		next := path.Join(here, part)
		info, err := fs.Lstat(fsys, next)
		if asImage && errors.Is(err, fs.ErrNotExist) {
			here = next
			continue
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			here = next
			continue
		}
		target, err := fs.ReadLink(fsys, next)
		if err != nil {
			return "", err
		}
		hops++
		if hops > maxHops {
			return "", errLoop
		}
		if path.IsAbs(target) {
			if !asImage {
				return "", errLeaves
			}
			here = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return here, nil
}

// rootfs judges the directory whose content becomes part of the image, and
// gives it as given and as a file system.
func (d *imageDecoder) rootfs(attr *hcl.Attribute) (string, fs.FS) {
	t := d.text(attr, "")
	if !t.ok {
		return "", nil
	}
	if t.value == "." || !fs.ValidPath(t.value) {
		d.errorAt(&t.rng, "Invalid rootfs", "%q is no directory below that of the description, %q. Write its shortest relative form, without \"..\", such as \"rootfs\".", t.value, d.block.dir)
		return "", nil
	}
	name := path.Join(d.block.dir, t.value)
	resolved, err := follow(d.fsys, ".", name, false)
	if errors.Is(err, errLeaves) {
		d.errorAt(&t.rng, "Rootfs outside of the project", "%q is or lies behind a symbolic link that leads out of the project. Put the files into the project.", name)
		return "", nil
	}
	if err != nil {
		d.errorAt(&t.rng, "Rootfs cannot be read", "%q: %s. It must be a directory in that of the description.", name, plainError(err))
		return "", nil
	}
	info, err := fs.Lstat(d.fsys, resolved)
	if err != nil || !info.IsDir() {
		d.errorAt(&t.rng, "Rootfs is no directory", "%q must be a directory; what is in it is copied to \"/\".", name)
		return "", nil
	}
	sub, err := fs.Sub(d.fsys, resolved)
	if err != nil {
		d.errorAt(&t.rng, "Rootfs cannot be read", "%q: %s.", name, plainError(err))
		return "", nil
	}
	d.walkRootfs(t, name, sub)
	return t.value, sub
}

// walkRootfs judges the entries. A link that climbs out would give another
// file, or one of the build host, to whoever follows it from outside.
func (d *imageDecoder) walkRootfs(at text, name string, sub fs.FS) {
	// The callback never gives an error, so WalkDir gives none.
	_ = fs.WalkDir(sub, ".", func(p string, entry fs.DirEntry, err error) error {
		full := path.Join(name, p)
		switch {
		case err != nil:
			d.errorAt(&at.rng, "Rootfs cannot be read", "%q: %s.", full, plainError(err))
		case entry.IsDir() || entry.Type().IsRegular():
		case entry.Type()&fs.ModeSymlink == 0:
			d.errorAt(&at.rng, "Special file in rootfs", "%q is neither a file, a directory nor a symbolic link. Devices are given by device blocks; sockets and pipes are made by the service.", full)
		default:
			d.link(at, p, full, sub)
		}
		return nil
	})
}

func (d *imageDecoder) link(at text, p, full string, sub fs.FS) {
	target, err := fs.ReadLink(sub, p)
	if err == nil {
		_, err = follow(sub, path.Dir(p), target, true)
	}
	switch {
	case err == nil:
	case errors.Is(err, errLeaves):
		d.errorAt(&at.rng, "Symbolic link out of rootfs", "%q points to %q, which climbs above the rootfs. Use an absolute path, which is one of the image, or a relative one that stays inside.", full, target)
	default:
		d.errorAt(&at.rng, "Symbolic link cannot be followed", "%q points to %q: %s.", full, target, plainError(err))
	}
}

// unitDirs is the search path of systemd.unit(5), first wins, as far as an
// image ships files there. /lib is for trees that are not merged into /usr.
func unitDirs() []string {
	return []string{"etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"}
}

// installable tells whether a unit that the rootfs ships can be enabled; true
// for one that it does not ship.
func installable(rootfs fs.FS, unit string) bool {
	if stem, rest, ok := strings.Cut(unit, "@"); ok {
		// An instance is enabled through its template.
		unit = stem + "@" + rest[strings.LastIndex(rest, "."):]
	}
	for _, dir := range unitDirs() {
		name := path.Join(dir, unit)
		info, err := fs.Lstat(rootfs, name)
		if err != nil {
			continue
		}
		if !info.Mode().IsRegular() {
			return true // a link: what it leads to may come from a package
		}
		return hasInstall(rootfs, name) || dropInHasInstall(rootfs, unit)
	}
	return true
}

func hasInstall(fsys fs.FS, name string) bool {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return true // reported by walkRootfs
	}
	return slices.ContainsFunc(strings.Split(string(b), "\n"), func(line string) bool {
		return strings.TrimSpace(line) == "[Install]"
	})
}

func dropInHasInstall(rootfs fs.FS, unit string) bool {
	for _, dir := range unitDirs() {
		// A unit name holds no character that Glob knows but "\", which quotes.
		matches, _ := fs.Glob(rootfs, path.Join(dir, strings.ReplaceAll(unit, `\`, `\\`)+".d", "*.conf"))
		for _, name := range matches {
			if info, err := fs.Lstat(rootfs, name); err == nil && info.Mode().IsRegular() && hasInstall(rootfs, name) {
				return true
			}
		}
	}
	return false
}
