package verify

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// imageLeftovers looks through the whole file system of the container before
// its first start, when it holds the image and the engine's empty mount points.
func (s *session) imageLeftovers(ctx context.Context) result {
	r, err := s.eng.api.ContainerExport(ctx, s.plan.name)
	if err != nil {
		return fail("asking the engine for the files: %v", err)
	}
	defer r.Close()
	scan := newScan(s.opts.HostMirrors)
	if err := scan.read(r); err != nil {
		return fail("%v", err)
	}
	return scan.result()
}

// maxText is the size to which files below /etc are read for mirrors.
const maxText = 64 << 10

// scan walks a tar of a file system in constant memory.
type scan struct {
	rules   []rule
	found   []finding // one per rule
	mirrors []string
	entries int
}

// rule names one kind of leftover.
type rule struct {
	what string
	// match judges the name alone; content, if not nil, also looks into the
	// file and gives what is wrong with it, or "".
	match   func(name string, h *tar.Header) bool
	content func(data []byte) string
}

// finding counts what a rule matched.
type finding struct {
	files    int
	bytes    int64
	examples []string
}

const maxExamples = 3

func newScan(mirrors []string) *scan {
	s := &scan{rules: rules()}
	for _, m := range mirrors {
		if m != "" {
			s.mirrors = append(s.mirrors, m)
		}
	}
	if len(s.mirrors) > 0 {
		s.rules = append(s.rules, rule{"archive hosts of the build machine",
			func(name string, h *tar.Header) bool { return within(name, "/etc") && regular(h) && h.Size <= maxText }, s.mirrorIn})
	}
	s.found = make([]finding, len(s.rules))
	return s
}

// rules: what differs from build to build, what betrays the build machine, and
// what is dead weight (84 MB of package lists in a naive image).
func rules() []rule {
	return []rule{
		{"package lists", func(n string, h *tar.Header) bool {
			return below(n, "/var/lib/apt/lists") && regular(h) && !emptyLock(n, h)
		}, nil},
		{"package caches", func(n string, h *tar.Header) bool {
			return regular(h) && (glob("/var/cache/apt/*.bin", n) || glob("/var/cache/apt/archives/*.deb", n) || glob("/var/cache/apt/archives/partial/*", n) || n == "/var/cache/ldconfig/aux-cache")
		}, nil},
		{"logs of the build", func(n string, h *tar.Header) bool {
			return regular(h) && h.Size > 0 && (glob("/var/log/*.log", n) || below(n, "/var/log/apt"))
		}, nil},
		{"backups of the package manager", func(n string, h *tar.Header) bool {
			return regular(h) && (glob("/var/lib/dpkg/*-old", n) || glob("/var/cache/debconf/*-old", n))
		}, nil},
		{"SSH host keys", func(n string, _ *tar.Header) bool { return glob("/etc/ssh/ssh_host_*", n) }, nil},
		{"root's caches", func(n string, h *tar.Header) bool {
			return below(n, "/root/.cache") && h.Typeflag != tar.TypeDir
		}, nil},
		{"temporary files", func(n string, _ *tar.Header) bool { return below(n, "/tmp") || below(n, "/var/tmp") }, nil},
		{"a machine ID, which all containers would share", isFile("/etc/machine-id", "/var/lib/dbus/machine-id"), machineID},
		{"the build machine's host name", isFile("/etc/hostname"), hostName},
		{"the build machine's resolver", isFile("/etc/resolv.conf"), resolver},
	}
}

func regular(h *tar.Header) bool             { return h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeLink }
func below(name, dir string) bool            { return strings.HasPrefix(name, dir+"/") }
func emptyLock(n string, h *tar.Header) bool { return h.Size == 0 && path.Base(n) == "lock" }

// glob reports a match of one of our own patterns, which are all well formed.
func glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func isFile(names ...string) func(string, *tar.Header) bool {
	return func(name string, h *tar.Header) bool {
		for _, n := range names {
			if name == n && h.Typeflag == tar.TypeReg {
				return true
			}
		}
		return false
	}
}

// machineID accepts what makes systemd choose an ID at boot (machine-id(5)).
func machineID(data []byte) string {
	switch text := strings.TrimSpace(string(data)); text {
	case "", "uninitialized":
		return ""
	default:
		return "holds an ID"
	}
}

// hostName accepts the fallback of hostname(5), which betrays nothing.
func hostName(data []byte) string {
	if text := strings.TrimSpace(string(data)); text != "" && text != "localhost" {
		return "holds " + text
	}
	return ""
}

// resolver accepts a file of comments: the engine puts its own in place.
func resolver(data []byte) string {
	for line := range strings.SplitSeq(string(data), "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' {
			return "holds " + line
		}
	}
	return ""
}

func (s *scan) mirrorIn(data []byte) string {
	for _, m := range s.mirrors {
		if bytes.Contains(data, []byte(m)) {
			return "names " + m
		}
	}
	return ""
}

// read looks at every entry. A stream without entries, or one that was cut, is
// an error: nothing found in it would prove nothing.
func (s *scan) read(r io.Reader) error {
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) && s.entries > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the file system after %d entries: %w", s.entries, err)
		}
		s.entries++
		if err := s.entry(h, files); err != nil {
			return err
		}
	}
}

func (s *scan) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean("/" + h.Name)
	var data []byte
	for i, rule := range s.rules {
		if !rule.match(name, h) {
			continue
		}
		example := name
		if rule.content != nil {
			if data == nil {
				var err error
				if data, err = io.ReadAll(io.LimitReader(content, maxText)); err != nil {
					return fmt.Errorf("reading %s: %w", name, err)
				}
			}
			why := rule.content(data)
			if why == "" {
				continue
			}
			example += " " + why
		}
		f := &s.found[i]
		f.files++
		f.bytes += h.Size
		if len(f.examples) < maxExamples {
			f.examples = append(f.examples, example)
		}
	}
	return nil
}

func (s *scan) result() result {
	var lines []string
	for i, f := range s.found {
		if f.files == 0 {
			continue
		}
		line := s.rules[i].what + ": " + strings.Join(f.examples, ", ")
		if n := f.files - len(f.examples); n > 0 {
			line += fmt.Sprintf(" and %d more", n)
		}
		lines = append(lines, fmt.Sprintf("%s (%d bytes)", line, f.bytes))
	}
	if len(lines) > 0 {
		return fail("%s", strings.Join(lines, "\n"))
	}
	return pass("%d entries", s.entries)
}
