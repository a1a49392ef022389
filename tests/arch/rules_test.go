package arch

import (
	"fmt"
	"slices"
	"strings"
)

const module = "github.com/ibforge/ibforge/"

// below says which packages of this module a package may import. A package of
// builder or cmd that is not in here has no place in the design yet.
//
// Those below tests may import all of it, and nothing outside of tests imports
// them, but for _test.go files that want a simulated fabric or an engine.
func below() map[string][]string {
	return map[string][]string{
		"builder/contract":         {},
		"builder/suggest":          {},
		"builder/spec":             {"builder/contract", "builder/portmap", "builder/suggest"},
		"builder/plan":             {"builder/spec", "builder/portmap", "builder/contract"},
		"builder/portmap":          {"builder/contract"},
		"builder/portmap/socket":   {"builder/portmap", "builder/contract"},
		"builder/portmap/kolla":    {},
		"builder/portmap/conflict": {"builder/portmap", "builder/portmap/kolla", "builder/contract"},
		"builder/engine":           {"builder/plan", "builder/contract"},
		"builder/engine/buildah":   {"builder/engine", "builder/plan", "builder/contract", "builder/suggest"},
		"builder/verify":           {"builder/contract", "builder/portmap", "builder/portmap/conflict", "builder/portmap/socket"},
		"builder/deploy":           {"builder/contract"},
		"builder/overlay":          {"builder/overlay/text", "builder/suggest"},
		"builder/overlay/text":     {},
		"builder/overlay/check":    {"builder/overlay", "builder/suggest"},
		"builder/cli":              {"builder/contract", "builder/spec", "builder/plan", "builder/engine", "builder/portmap", "builder/portmap/kolla", "builder/portmap/conflict", "builder/verify", "builder/deploy", "builder/overlay", "builder/overlay/check", "configs", "kayobe", "."},
		// What is known of the clouds beside which ibforge deploys.
		"configs": {},
		// What is shipped beside the program: the overlay for Kayobe, and the
		// Ansible collection at the root.
		"kayobe": {},
		".":      {},
		// What the image and the target host need is built without cgo and small.
		"cmd/ibforge-ports":   {"builder/portmap", "builder/contract"},
		"cmd/ibforge-portmap": {"builder/portmap", "builder/portmap/socket", "builder/contract"},
		// The composition root: it alone knows which implementation stands
		// behind which interface.
		"cmd/ibforge": {"builder/cli", "builder/engine", "builder/engine/buildah", "builder/deploy"},
	}
}

// exclusive says who may import a library: what depends on it can then be
// replaced in one place, and its types do not spread.
func exclusive() map[string][]string {
	return map[string][]string{
		"github.com/containers/buildah":   {"builder/engine/buildah"},
		"github.com/containers/image":     {"builder/engine/buildah"},
		"github.com/containers/storage":   {"builder/engine/buildah"},
		"go.podman.io":                    {"builder/engine/buildah"},
		"github.com/apenella/go-ansible":  {"builder/deploy"},
		"github.com/docker/docker":        {"builder/verify", "tests"},
		"github.com/cilium/ebpf":          {"builder/portmap/socket"},
		"github.com/spf13/cobra":          {"builder/cli"},
		"github.com/hashicorp/hcl":        {"builder/spec", "builder/plan", "builder/engine", "builder/overlay/check", "builder/cli", "tests"},
		"github.com/rogpeppe/go-internal": {"tests"},
	}
}

// pure packages give the same answer wherever and whenever they run.
func pure() []string { return []string{"builder/contract", "builder/spec", "builder/plan"} }

// impure are the packages that reach the machine or the clock. io/fs is not
// among them: what it opens is an argument.
func impure() []string {
	return []string{"os", "net", "time", "syscall", "math/rand", "crypto/rand", "path/filepath", "golang.org/x/sys"}
}

// file is what the rules judge of one source file.
type file struct {
	// dir is the package's directory, name the file's path; both relative to
	// the root of the module.
	dir, name string
	test      bool
	imports   []string
}

// faults tells what breaks a rule, and which.
func (f file) faults() []string {
	var out []string
	for _, imp := range f.imports {
		if reason := f.judge(imp); reason != "" {
			out = append(out, fmt.Sprintf("%s imports %s: %s", f.name, imp, reason))
		}
	}
	return out
}

func (f file) judge(imp string) string {
	if imp+"/" == module {
		return f.judgeOwn(".")
	}
	if own, ok := strings.CutPrefix(imp, module); ok {
		return f.judgeOwn(own)
	}
	if !f.test && slices.Contains(pure(), f.dir) {
		for _, p := range impure() {
			if within(imp, p) {
				return fmt.Sprintf("%s is pure, and %s reaches the machine or the clock; take what is needed as an argument", f.dir, p)
			}
		}
	}
	for library, allowed := range exclusive() {
		if within(imp, library) && !slices.ContainsFunc(allowed, func(dir string) bool { return within(f.dir, dir) }) {
			return fmt.Sprintf("only %s may import %s; go through it", strings.Join(allowed, ", "), library)
		}
	}
	return ""
}

func (f file) judgeOwn(imp string) string {
	if within(f.dir, "tests") || f.test && imp == f.dir {
		return ""
	}
	if within(imp, "tests") {
		if f.test {
			return ""
		}
		return "nothing but tests may depend on tests"
	}
	allowed, known := below()[f.dir]
	switch {
	case !known:
		return fmt.Sprintf("%s is not in the table of tests/arch/rules_test.go; say there what it may import", f.dir)
	case slices.Contains(allowed, imp):
		return ""
	case f.test && slices.Contains(closure(f.dir), imp):
		return ""
	case len(allowed) == 0:
		return fmt.Sprintf("arrows point down only, and %s may import nothing of ibforge", f.dir)
	}
	return fmt.Sprintf("arrows point down only, and of ibforge %s may import %s", f.dir, strings.Join(allowed, ", "))
}

// closure is all that a package may reach, step by step: its tests may use
// that to make what it takes.
func closure(dir string) []string {
	var out []string
	for todo := below()[dir]; len(todo) > 0; todo = todo[1:] {
		if !slices.Contains(out, todo[0]) {
			out = append(out, todo[0])
			todo = append(todo, below()[todo[0]]...)
		}
	}
	return out
}

// within tells whether a path is dir or lies below it; a major version counts
// as lying below, so that hcl covers hcl/v2.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
