package check

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ibforge/ibforge/builder/overlay"
	"github.com/ibforge/ibforge/builder/suggest"
)

// hook is a file in hooks/COMMAND/WHEN.d.
type hook struct {
	layer, command, when, base string
}

func (h hook) path() string {
	return path.Join(h.layer, "hooks", h.command, h.when, h.base)
}

// ours tells whether it is one of ibforge.
func (h hook) ours() bool { return strings.Contains(h.base, "ibforge-") }

// order is Kayobe's: the number before the first dash, and without one the
// largest number there is (kayobe/cli/commands.py, _split_hook_sequence_number).
func (h hook) order() (int, bool) {
	n, err := strconv.Atoi(strings.SplitN(h.base, "-", 2)[0])
	return n, err == nil && strings.Contains(h.base, "-")
}

// hooks looks at what Kayobe runs before and after its commands: *.yml in
// hooks/COMMAND/{pre,post}.d of all layers, where a later layer replaces hooks
// of the same name (kayobe/cli/commands.py, HookDispatcher).
func (c *checker) hooks() {
	var all []hook
	for _, layer := range c.layers {
		for _, command := range names(c.o.FS, path.Join(layer, "hooks")) {
			for _, when := range names(c.o.FS, path.Join(layer, "hooks", command)) {
				for _, base := range names(c.o.FS, path.Join(layer, "hooks", command, when)) {
					all = append(all, hook{layer, command, when, base})
				}
			}
		}
	}
	for i, h := range all {
		c.hook(h)
		for _, other := range all[:i] {
			if other.command == h.command && other.when == h.when {
				c.hookPair(other, h)
			}
		}
	}
}

func (c *checker) hook(h hook) {
	if !h.ours() {
		return
	}
	var commands []string
	for _, known := range c.o.Source.Hooks {
		commands = append(commands, known.Command)
	}
	switch {
	case h.when != "pre.d" && h.when != "post.d":
		c.errorAt(nil, "Hook that does not run", "%s: Kayobe looks into pre.d and post.d, and not into %s. Move the hook.", h.path(), h.when)
	case !strings.HasSuffix(h.base, ".yml"):
		c.errorAt(nil, "Hook that does not run", "%s: Kayobe takes files that end in .yml. Rename it.", h.path())
	case !slices.Contains(commands, h.command) && suggest.Nearest(h.command, commands) != "":
		c.errorAt(nil, "Hook that does not run", "%s: Kayobe has no command %q.%s", h.path(), h.command, suggest.DidYouMean(h.command, commands))
	}
	if _, err := fs.Stat(c.o.FS, h.path()); err != nil {
		c.errorAt(nil, "Hook that leads nowhere", "%s is a link to a file that is not there, or not in this configuration. Run ibforge kayobe install, or take the link away.", h.path())
	}
}

// hookPair looks at two hooks of one command; b is the later.
func (c *checker) hookPair(a, b hook) {
	if !a.ours() && !b.ours() {
		return
	}
	orderA, okA := a.order()
	orderB, okB := b.order()
	switch {
	case a.base == b.base && a.layer != b.layer:
		if !c.sameFile(a, b) {
			c.errorAt(nil, "Hook that is replaced", "%s does not run in this environment: %s has the same name, and Kayobe takes that one. Rename it if both are to run.", a.path(), b.path())
		}
	case okA && okB && orderA == orderB:
		c.warnAt(nil, "Hooks with one number", "%s and %s have the number %d both, and run in the order of their names. Renumber the one that is yours.", a.path(), b.path(), orderA)
	}
}

// sameFile tells whether two links lead to one playbook.
func (c *checker) sameFile(a, b hook) bool {
	first, errA := fs.ReadFile(c.o.FS, a.path())
	second, errB := fs.ReadFile(c.o.FS, b.path())
	return errA == nil && errB == nil && bytes.Equal(first, second)
}

// missingHooks are those of an installed layer that are not there.
func (c *checker) missingHooks(layer string, m *overlay.Manifest) {
	for link := range m.Links {
		if _, err := fs.ReadFile(c.o.FS, path.Join(layer, link)); err == nil {
			continue
		}
		dir := path.Join(layer, path.Dir(link))
		// Renumbering is an operator's right.
		number := regexp.MustCompile(`^\d+-`)
		renamed := slices.ContainsFunc(names(c.o.FS, dir), func(base string) bool {
			return number.ReplaceAllString(base, "") == number.ReplaceAllString(path.Base(link), "")
		})
		if !renamed {
			c.warnAt(nil, "Hook that is missing", "%s was deleted, so that %s does nothing for the fabric services.", path.Join(layer, link), command(link))
		}
	}
}

// command is that of a hook's path, as one types it.
func command(link string) string {
	parts := strings.Split(link, "/")
	if len(parts) < 2 {
		return link
	}
	return fmt.Sprintf("kayobe %s", strings.ReplaceAll(parts[1], "-", " "))
}
