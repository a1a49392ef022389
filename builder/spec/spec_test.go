package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

const minimal = `
  description = "A"
  bootstrap "debian" { suite = "bookworm" }
`

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

// loadOne loads a project of one file.
func loadOne(src string, opts Options) (*Result, hcl.Diagnostics) {
	opts.FS = fstest.MapFS{"images/a/image.ibforge.hcl": file(src)}
	return Load(opts)
}

// The package must give the same answer wherever it runs.
func TestImportsArePure(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			switch first, _, _ := strings.Cut(strings.Trim(imp.Path.Value, `"`), "/"); first {
			case "os", "net", "time", "syscall":
				t.Errorf("%s imports %s", name, imp.Path.Value)
			}
		}
	}
}

func TestVariablePrecedence(t *testing.T) {
	const src = `variable "v" { default = "default" }`
	env := []string{"IBFORGE_VAR_v=env", "v=not this", "IBFORGE_VAR=nor this"}
	files := []string{"one.hcl", "sub/../two.hcl"}
	for _, c := range []struct {
		name          string
		opts          Options
		value, source string
	}{
		{"default", Options{}, `"default"`, "default"},
		{"environment", Options{Environ: env}, `"env"`, "environment"},
		{"first file", Options{Environ: env, VarFiles: files[:1]}, `"one"`, "one.hcl"},
		{"last file", Options{Environ: env, VarFiles: files}, `"two"`, "two.hcl"},
		{"command line", Options{Environ: env, VarFiles: files, Vars: []string{"v=a"}}, `"a"`, "--var"},
		{"last of them", Options{Vars: []string{"v=a", "v=b=c"}}, `"b=c"`, "--var"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.FS = fstest.MapFS{
				"configs/x.ibforge.hcl": file(src),
				"one.hcl":               file(`v = "one"`),
				"two.hcl":               file(`v = "two"`),
			}
			result, diags := Load(c.opts)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			want := []Variable{{Name: "v", Value: c.value, Source: c.source}}
			if diff := cmp.Diff(want, result.Project.Variables); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Values of expressions are looked at through a description.
func TestFunctions(t *testing.T) {
	for expr, want := range map[string]string{
		`upper("a")`:                            "A",
		`join("-", sort(["b", "a"]))`:           "a-b",
		`format("%03d", 7)`:                     "007",
		`try(local.l.none, "fallback")`:         "fallback",
		`can(local.l.none) ? "yes" : "no"`:      "no",
		`lookup({ a = "1" }, "b", "2")`:         "2",
		`regex("[0-9]+", "ib12")`:               "12",
		`replace("a.b", ".", "-")`:              "a-b",
		`jsonencode(merge({ a = 1 }, {}))`:      `{"a":1}`,
		`tostring(length(flatten([[1], [2]])))`: "2",
		`element(["a", "b"], 3)`:                "b",
		`coalesce(null, "x")`:                   "x",
		`trimspace(file("note.txt"))`:           "note",
		`file("../b/other.txt")`:                "other",
		`fileexists("note.txt") ? "y" : "n"`:    "y",
		`fileexists("nothing") ? "y" : "n"`:     "n",
		`substr(filesha256("note.txt"), 0, 7)`:  "389ed68",
		`tostring(max(1, parseint("ff", 16)))`:  "255",
	} {
		t.Run(expr, func(t *testing.T) {
			src := "locals {\n l = {}\n}\nimage \"a\" {" + minimal + " env = { X = " + expr + " }\n}"
			result, diags := Load(Options{FS: fstest.MapFS{
				"images/a/image.ibforge.hcl": file(src),
				"images/a/note.txt":          file("note\n"),
				"images/b/other.txt":         file("other"),
			}})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			if got := result.Project.Images[0].Env["X"]; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	var src strings.Builder
	for _, p := range [][2]string{{"d", "c"}, {"a", "c"}, {"c", ""}, {"b", ""}, {"e", "a"}} {
		origin := `bootstrap "debian" { suite = "bookworm" }`
		if p[1] != "" {
			origin = "from = image." + p[1]
		}
		fmt.Fprintf(&src, "image %q {\n description = \"x\"\n %s\n}\n", p[0], origin)
	}
	result, diags := loadOne(src.String(), Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var got string
	for _, image := range result.Project.Images {
		got += image.Name
	}
	if want := "bcade"; got != want {
		t.Errorf("got %s, want %s: parents first, then by name", got, want)
	}
}

func TestParseSeconds(t *testing.T) {
	for in, want := range map[string]string{
		"30s": "30 ", "1m30s": "90 ", "1h": "3600 ", "0": "0 ", "0s": "0 ", "24h": "86400 ",
		"": "0 is no duration", "30": "0 is no duration", "s": "0 is no duration", "-1s": "0 is no duration",
		"1.5s": "0 is no duration", "1 s": "0 is no duration", "100ms": "0 has parts of a second",
		"1s1ns": "0 has parts of a second", "25h": "0 is longer than a day",
		"99999999999999999999s": "0 is longer than a day", "24h1s": "0 is longer than a day",
	} {
		seconds, fault := parseSeconds(in)
		if got := fmt.Sprint(seconds, " ", fault); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestFollow(t *testing.T) {
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink}
	}
	fsys := fstest.MapFS{
		"a/b/file": file("x"),
		"a/up":     link("../a/b"),
		"a/abs":    link("/a/b"),
		"a/out":    link("../../x"),
		"a/gone":   link("nothing/here"),
		"a/one":    link("two"),
		"a/two":    link("one"),
	}
	for _, c := range []struct {
		name           string
		asImage        bool
		want, wantFail string
	}{
		{"b/file", true, "a/b/file", ""},
		{"up/file", true, "a/b/file", ""},
		{"up/../../a", true, "a", ""},
		{"up/../../../a", true, "", "leads out of the tree"},
		{"/b/../..", true, "", "leads out of the tree"},
		{"abs/file", true, "a/b/file", ""},
		{"abs/file", false, "", "leads out of the tree"},
		{"out", true, "", "leads out of the tree"},
		{"gone/x", true, "a/nothing/here/x", ""},
		{"gone", false, "", "file does not exist"},
		{"one", true, "", "is part of a loop of links"},
		{"./b//file", false, "a/b/file", ""},
	} {
		got, err := follow(fsys, "a", c.name, c.asImage)
		fail := ""
		if err != nil {
			fail = plainError(err)
		}
		if got != c.want || fail != c.wantFail {
			t.Errorf("%s (as image: %v): got %q, %q; want %q, %q", c.name, c.asImage, got, fail, c.want, c.wantFail)
		}
	}
}

func TestDiagnosticsJSON(t *testing.T) {
	_, diags := loadOne("image \"A\" {"+minimal+"}", Options{Vars: []string{"x"}})
	b, err := DiagnosticsJSON(diags)
	if err != nil {
		t.Fatal(err)
	}
	var got []DiagnosticJSON
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Detail = ""
	}
	want := []DiagnosticJSON{
		{Severity: "error", Summary: "Malformed --var"},
		{Severity: "error", Summary: "Invalid image name", File: "images/a/image.ibforge.hcl",
			Start: &PositionJSON{1, 7}, End: &PositionJSON{1, 10}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if b, err = DiagnosticsJSON(nil); string(b) != "[]" || err != nil {
		t.Errorf("none: got %s, %v", b, err)
	}
}

// A sensitive value can be used for decisions, but is never in the project.
func TestSensitiveValues(t *testing.T) {
	const src = `
variable "token" {
  type      = string
  sensitive = true
  validation {
    condition     = strlen(var.token) > 5
    error_message = "token is too short."
  }
}
image "a" {` + minimal + `}`
	result, diags := loadOne(src, Options{Vars: []string{"token=hunter2"}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got := dump(result.Project); strings.Contains(got, "hunter2") {
		t.Errorf("the value is in the project:\n%s", got)
	}
	for name, f := range result.Files {
		if bytes.Contains(f.Bytes, []byte("hunter2")) {
			t.Errorf("the value is in file %q of the result", name)
		}
	}
}

func TestLoadWithoutFS(t *testing.T) {
	result, diags := Load(Options{})
	if result.Project != nil || len(diags) != 1 || diags[0].Summary != "No descriptions found" {
		t.Errorf("got %v", diags)
	}
}

// A rootfs can be read through the project: what is validated is what is built.
func TestRootfsFS(t *testing.T) {
	result, diags := Load(Options{FS: fstest.MapFS{
		"images/a/image.ibforge.hcl": file("image \"a\" {" + minimal + " rootfs = \"rootfs\"\n}"),
		"images/a/rootfs/etc/x":      file("content"),
	}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	b, err := fs.ReadFile(result.Project.Images[0].RootfsFS, "etc/x")
	if err != nil || string(b) != "content" {
		t.Errorf("got %q, %v", b, err)
	}
}
