package verify

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
)

func (s *session) filesMounts(ctx context.Context) result {
	out, err := s.exec(ctx, commandLimit, "cat", "/proc/1/mountinfo")
	if err != nil {
		return fail("%v", err)
	}
	return compareMounts(out.text, s.plan.writable, s.img.Contract.ReadOnly)
}

// compareMounts looks for writable mounts that the contract does not foresee:
// an image's own VOLUME makes the engine add one, in which data outlives a
// restart and is lost with the next container.
func compareMounts(mountinfo string, foreseen []string, readOnly bool) result {
	allowed := slices.Clone(foreseen)
	if !readOnly {
		// The engine's own files, writable like the root file system.
		allowed = append(allowed, "/", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts")
	}
	var stray []string
	mounts := 0
	for line := range strings.SplitSeq(strings.TrimSpace(mountinfo), "\n") {
		// proc_pid_mountinfo(5): field 5 is the mount point, field 6 its options.
		fields := strings.Fields(line)
		if len(fields) < 10 {
			return fail("/proc/1/mountinfo has the line %q", line)
		}
		mounts++
		at, writable := unescape(fields[4]), slices.Contains(strings.Split(fields[5], ","), "rw")
		if writable && !kernelOwned(at) && !slices.Contains(allowed, at) {
			stray = append(stray, at)
		}
	}
	if len(stray) > 0 {
		return fail("writable beside the contract: %s", strings.Join(stray, ", "))
	}
	return pass("%d mounts, read-only root: %t", mounts, readOnly)
}

// kernelOwned are the trees that hold no files of the image.
func kernelOwned(path string) bool {
	return slices.ContainsFunc([]string{"/proc", "/sys", "/dev"}, func(top string) bool { return within(path, top) })
}

func within(path, top string) bool {
	return path == top || strings.HasPrefix(path, strings.TrimSuffix(top, "/")+"/")
}

// unescape undoes the \ooo of space, tab, line feed and backslash in mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (s *session) filesChanged(ctx context.Context) result {
	changes, err := s.eng.api.ContainerDiff(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for changed files: %v", err)
	}
	have, err := s.eng.api.ContainerInspect(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for the container: %v", err)
	}
	var mounts []string
	for _, m := range have.Mounts {
		mounts = append(mounts, m.Destination)
	}
	for path := range s.plan.host.Tmpfs {
		mounts = append(mounts, path)
	}
	return compareChanges(changes, mounts, s.img.Contract.ReadOnly)
}

// compareChanges judges the container's layer. With a read-only root nothing
// may be there; with a writable one the list tells what a new container loses.
func compareChanges(changes []container.FilesystemChange, mounts []string, readOnly bool) result {
	const most = 20
	paths := leaves(changes, mounts)
	if len(paths) == 0 {
		return pass("")
	}
	text := strings.Join(paths[:min(most, len(paths))], "\n")
	if n := len(paths) - most; n > 0 {
		text += fmt.Sprintf("\nand %d more", n)
	}
	if readOnly {
		return fail("although the root file system is read-only:\n%s", text)
	}
	return pass("the root file system is writable, and lost with the container:\n%s", text)
}

// leaves drops directories that are listed only for what is in them, and the
// mount points, which the engine makes itself.
func leaves(changes []container.FilesystemChange, mounts []string) []string {
	var out []string
	for _, c := range changes {
		under := func(m string) bool { return within(c.Path, m) || within(m, c.Path) }
		above := func(o container.FilesystemChange) bool { return o.Path != c.Path && within(o.Path, c.Path) }
		if !slices.ContainsFunc(mounts, under) && !slices.ContainsFunc(changes, above) {
			out = append(out, c.Kind.String()+" "+c.Path)
		}
	}
	slices.Sort(out)
	return out
}
