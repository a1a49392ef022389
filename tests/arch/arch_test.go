// Package arch holds the shape of the source: which package may import which,
// how long a file may be, and what no code may do. It reads the source only.
package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// maxLines of a file: what does not fit is two things.
const maxLines = 300

// source is one parsed file.
type source struct {
	file
	syntax *ast.File
	set    *token.FileSet
	lines  int
}

// sources are all Go files of the module.
func sources(t *testing.T) []source {
	t.Helper()
	root := os.DirFS("../..")
	var out []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			// As the go command: cmd/go, "Package lists and patterns".
			base := path.Base(name)
			if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		raw, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, name, raw, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{
			file:   file{dir: path.Dir(name), name: name, test: strings.HasSuffix(name, "_test.go")},
			syntax: syntax, set: set, lines: bytes.Count(raw, []byte("\n")),
		}
		for _, i := range syntax.Imports {
			imp, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imp)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sources(t) {
		seen[s.dir] = true
		for _, fault := range s.faults() {
			t.Error(fault)
		}
		_, known := below()[s.dir]
		if !known && !within(s.dir, "tests") {
			t.Errorf("%s: the package %s is not in the table of tests/arch/rules_test.go", s.name, s.dir)
		}
	}
	for dir := range below() {
		if !seen[dir] {
			t.Errorf("the table names %s, where there is no Go file: it has moved, or is no more", dir)
		}
	}
}

func TestLengthOfFiles(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxLines {
			t.Errorf("%s has %d lines; more than %d are two subjects: split it", s.name, s.lines, maxLines)
		}
	}
}

// init runs before anybody can hand it an argument, and panic takes the
// decision from the caller.
func TestNoInitNoPanic(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init() is not used here; let the caller hand over what is needed", s.set.Position(n.Pos()))
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "panic" {
					t.Errorf("%s: panic is not used here; return an error", s.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// A package says what it is for, once.
func TestPackageComments(t *testing.T) {
	comments := map[string][]string{}
	all := map[string]bool{}
	for _, s := range sources(t) {
		if s.test && !onlyTests(s.dir) {
			continue
		}
		all[s.dir] = true
		if s.syntax.Doc != nil {
			comments[s.dir] = append(comments[s.dir], s.name)
		}
	}
	for dir := range all {
		if n := comments[dir]; len(n) != 1 {
			t.Errorf("%s: want one package comment, got %d in %q", dir, len(n), n)
		}
	}
}

// onlyTests are packages without code of their own.
func onlyTests(dir string) bool { return slices.Contains([]string{"tests/arch", "tests/stories"}, dir) }

// A rule that nothing can break is none.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		dir  string
		test bool
		imp  string
		want string
	}{
		{"builder/plan", false, module + "builder/spec", ""},
		{"builder/engine", true, module + "builder/spec", ""},
		{"builder/verify", true, module + "tests/lab", ""},
		{"builder/verify", false, "github.com/docker/docker/client", ""},
		{"tests/lab", false, "github.com/docker/docker/client", ""},
		{"builder/cli", false, "github.com/docker/go-units", ""},
		{"builder/plan", true, "os", ""},
		{"builder/spec", false, "io/fs", ""},

		{"builder/contract", false, module + "builder/spec", "arrows point down only, and builder/contract may import nothing of ibforge"},
		{"builder/plan", false, module + "builder/engine", "arrows point down only, and of ibforge builder/plan may import builder/spec, builder/portmap, builder/contract"},
		{"builder/plan", true, module + "builder/engine", "arrows point down only, and of ibforge builder/plan may import builder/spec, builder/portmap, builder/contract"},
		{"builder/cli", false, module + "builder/engine/buildah", "arrows point down only, and of ibforge builder/cli may import builder/contract, builder/spec, builder/plan, builder/engine, builder/portmap, builder/portmap/kolla, builder/portmap/conflict, builder/verify, builder/deploy, builder/overlay, builder/overlay/check, configs, kayobe, ."},
		{"builder/verify", false, module + "tests/lab", "nothing but tests may depend on tests"},
		{"builder/new", false, module + "builder/spec", "builder/new is not in the table of tests/arch/rules_test.go; say there what it may import"},
		{"builder/spec", false, "os/exec", "builder/spec is pure, and os reaches the machine or the clock; take what is needed as an argument"},
		{"builder/plan", false, "time", "builder/plan is pure, and time reaches the machine or the clock; take what is needed as an argument"},
		{"builder/cli", false, "github.com/containers/buildah/define", "only builder/engine/buildah may import github.com/containers/buildah; go through it"},
		{"builder/engine", false, "go.podman.io/storage", "only builder/engine/buildah may import go.podman.io; go through it"},
		{"builder/cli", false, "github.com/apenella/go-ansible/v2/pkg/execute", "only builder/deploy may import github.com/apenella/go-ansible; go through it"},
		{"builder/engine", false, "github.com/docker/docker/client", "only builder/verify, tests may import github.com/docker/docker; go through it"},
		{"builder/contract", false, "github.com/hashicorp/hcl/v2", "only builder/spec, builder/plan, builder/engine, builder/overlay/check, builder/cli, tests may import github.com/hashicorp/hcl; go through it"},
	} {
		if got := (file{dir: c.dir, test: c.test}).judge(c.imp); got != c.want {
			t.Errorf("%s (test: %v) imports %s: got %q\nwant %q", c.dir, c.test, c.imp, got, c.want)
		}
	}
}
