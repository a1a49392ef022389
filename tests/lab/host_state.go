package lab

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// HostState is what is in a host at a moment and stays until somebody takes it
// away, as a set of lines such as
//
//	file /etc/modules-load.d/ibforge.conf
//	mount /var/lib/x
//	cgroup /ibforge.slice
//	bpf /ibforge/ib_ufm
//	docker container ib_opensm
//
// with what tells one form of it from another: of a file its mode, owner and
// content's digest.
//
// Left out are what is not yet or no longer part of the host's configuration:
// /run, /tmp, /dev, logs, caches, what systemd itself notes, Ansible's own
// directory, and cgroups of single units.
type HostState map[string]string

// hostVolatile are left out of a [HostState], with all below them.
func hostVolatile() []string {
	return []string{"/var/log", "/var/cache", "/var/tmp", "/var/lib/systemd", "/root/.ansible", "/var/lib/docker", "/var/lib/containerd", "/var/lib/containers"}
}

// Diff returns what later has more, less or in another form, as sorted lines
// that begin with "+", "-" or "~".
func (s HostState) Diff(later HostState) []string {
	var out []string
	for k, v := range later {
		if old, ok := s[k]; !ok {
			out = append(out, "+ "+k+" "+v)
		} else if old != v {
			out = append(out, "~ "+k+" "+old+" -> "+v)
		}
	}
	for k, v := range s {
		if _, ok := later[k]; !ok {
			out = append(out, "- "+k+" "+v)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return out
}

// State looks at the running host.
func (h *Host) State(ctx context.Context) (HostState, error) {
	root, err := h.Root()
	if err != nil {
		return nil, err
	}
	s := HostState{}
	tree := "/sys/fs/cgroup"
	if _, err := os.Stat(filepath.Join(root, tree, "unified")); err == nil {
		tree += "/unified"
	}
	err = errors.Join(s.files(h.tree, filepath.Join(h.dir, "upper")), s.mounts(root),
		s.directories("cgroup", filepath.Join(root, tree)), s.directories("bpf", filepath.Join(root, "sys/fs/bpf")))
	if err != nil {
		return nil, err
	}
	for _, engine := range []string{"docker", "podman"} {
		for what, argv := range map[string][]string{
			"container": {"ps", "--all", "--format", "{{.Names}}"},
			"volume":    {"volume", "ls", "--format", "{{.Name}}"},
			"image":     {"images", "--format", "{{.Repository}}:{{.Tag}}"},
		} {
			out, err := h.Exec(ctx, append([]string{engine}, argv...)...)
			if err != nil {
				return nil, err
			}
			for name := range strings.FieldsSeq(string(out)) {
				s[engine+" "+what+" "+name] = ""
			}
		}
	}
	return s, nil
}

// files notes what differs from the common root file system. That is in the
// overlay's upper directory; but a file that was written with what it had
// before is there, too, and so are the directories above a file.
func (s HostState) files(lower, upper string) error {
	err := filepath.WalkDir(upper, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, upper)
		if name == "" {
			return nil
		}
		if slices.Contains(hostVolatile(), name) {
			return filepath.SkipDir
		}
		now, err := describe(path)
		if err != nil {
			return err
		}
		before, err := describe(filepath.Join(lower, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if now != before {
			s["file "+name] = now
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lab: files of a host: %w", err)
	}
	return nil
}

// describe says what a file is. "deleted" and "replaced" are overlayfs' marks
// (overlayfs.rst, "whiteouts and opaque directories").
func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("%s: no owner known", path)
	}
	text := fmt.Sprintf("%s %d:%d", info.Mode(), st.Uid, st.Gid)
	switch mode := info.Mode(); {
	case mode.IsRegular():
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %x", text, sha256.Sum256(content)), nil
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return text + " " + target, err
	case mode.IsDir():
		var opaque [1]byte
		if n, err := unix.Lgetxattr(path, "trusted.overlay.opaque", opaque[:]); err == nil && n == 1 && opaque[0] == 'y' {
			text += " replaced"
		}
	case mode&fs.ModeCharDevice != 0 && st.Rdev == 0:
		return "deleted", nil
	}
	return text, nil
}

// mounts notes what is mounted, but for what comes and goes with containers and
// units.
func (s HostState) mounts(root string) error {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(root), "mountinfo"))
	if err != nil {
		return fmt.Errorf("lab: mounts of a host: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		point, kind, ok := parseMountinfo(lines.Text())
		if ok && !strings.HasPrefix(point, "/run/") && !strings.HasPrefix(point, "/dev/") &&
			!slices.ContainsFunc(hostVolatile(), func(v string) bool { return strings.HasPrefix(point, v+"/") }) {
			s["mount "+point] = kind
		}
	}
	return nil
}

// directories notes those of a kernel's file system. Of cgroups, those that
// systemd makes for a unit and removes with it are left out.
func (s HostState) directories(what, top string) error {
	found := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone in the meantime
		}
		if err != nil || !d.IsDir() || path == top {
			return err
		}
		switch filepath.Ext(path) {
		case ".service", ".scope", ".socket", ".mount", ".swap":
			return filepath.SkipDir
		}
		found[what+" "+strings.TrimPrefix(path, top)] = ""
		return nil
	})
	if err != nil {
		return fmt.Errorf("lab: %s of a host: %w", what, err)
	}
	maps.Copy(s, found)
	return nil
}
