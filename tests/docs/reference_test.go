package docs

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/spec"
)

// same compares the rows of a section's tables with the names that they must
// have, in any order.
func same(t *testing.T, d document, heading string, want []string) {
	t.Helper()
	got := rows(d.section(t, heading))
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, section %s (-program +document):\n%s", d.name, heading, diff)
	}
}

// object is a part of the contract's schema.
type object struct {
	Properties map[string]json.RawMessage `json:"properties"`
}

func (o object) names() []string {
	var out []string
	for name := range o.Properties {
		out = append(out, name)
	}
	return out
}

func TestContractReference(t *testing.T) {
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(contract.Schema()), &schema); err != nil {
		t.Fatal(err)
	}
	d := read(t, "docs/contract.md")
	same(t, d, "The contract", schema.names())
	sections := 0
	// A part of a part, such as the rewrites of a port, is looked up as well.
	for _, whole := range append(slices.Collect(maps.Values(schema.Defs)), schema.object) {
		for name, raw := range whole.Properties {
			for def, part := range schema.Defs {
				if strings.Contains(string(raw), `"#/$defs/`+def+`"`) {
					sections++
					same(t, d, "`"+name+"`", part.names())
				}
			}
		}
	}
	if sections == 0 || sections != len(schema.Defs) {
		t.Errorf("%d parts of the contract were looked up, the schema has %d", sections, len(schema.Defs))
	}
}

// language are the attributes of each kind of block, out of the struct tags in
// the source of builder/spec: its schema is nothing that others may import.
func language(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, "builder/spec/schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		typ, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		body, ok := typ.Type.(*ast.StructType)
		if !ok {
			return true
		}
		// A type is newPrivilegesBody where the block is new_privileges.
		block := strings.ToLower(regexp.MustCompile("[A-Z]").ReplaceAllString(strings.TrimSuffix(typ.Name.Name, "Body"), "_$0"))
		out[block] = nil
		for _, field := range body.Fields.List {
			tag, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name, kind, _ := strings.Cut(reflect.StructTag(tag).Get("hcl"), ","); kind == "" {
				out[block] = append(out[block], name)
			}
		}
		return false
	})
	return out
}

func TestLanguageReference(t *testing.T) {
	blocks := language(t)
	if len(blocks) < 14 {
		t.Errorf("only %d kinds of blocks were found in the source: the test no longer finds them", len(blocks))
	}
	d := read(t, "docs/language.md")
	for name, attributes := range blocks {
		same(t, d, "`"+name+"`", attributes)
	}
	d.section(t, "`locals`")
}

// Functions stand in maps from their names.
func TestFunctionsReference(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repository, "builder/spec/functions.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, "docs/language.md").section(t, "Functions")
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, ok := pair.Key.(*ast.BasicLit)
		if !ok {
			return true
		}
		found++
		if name := strings.Trim(key.Value, `"`); !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/language.md does not name the function %s", name)
		}
		return true
	})
	if found < 50 || strings.Count(text, "`") != 2*found {
		t.Errorf("the source has %d functions, the document %d", found, strings.Count(text, "`")/2)
	}
}

// project is this repository's own.
func project(t *testing.T) *spec.Project {
	t.Helper()
	res, diags := spec.Load(spec.Options{FS: os.DirFS(repository)})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return res.Project
}

// The README of an image says why each thing is as it is.
func TestImageReasons(t *testing.T) {
	for _, img := range project(t).Images {
		d := read(t, path.Join(img.Dir, "README.md"))
		for _, what := range decisions(img) {
			if !strings.Contains(d.text, "`"+what+"`") {
				t.Errorf("%s does not speak of `%s`", d.name, what)
			}
		}
	}
}

// decisions are the names of all that a description has decided.
func decisions(img *spec.Image) []string {
	out := slices.Clone(img.Packages)
	for _, u := range img.Units {
		out = append(out, u.Name)
	}
	for _, r := range img.OmitPackages {
		out = append(out, r.Value)
	}
	for _, r := range img.Prune {
		// Up to the first directory that is a pattern.
		dir, _, _ := strings.Cut(r.Value, "*")
		if dir != "/usr/lib/" {
			dir = strings.TrimSuffix(dir, "/")
		}
		out = append(out, dir)
	}
	if r := img.Runtime; r != nil {
		out = append(append(out, r.Modules...), r.Excludes...)
		for _, v := range r.Volumes {
			out = append(out, v.Name, v.Path)
		}
		for _, dev := range r.Devices {
			out = append(out, dev.Path)
		}
		for _, c := range r.Capabilities {
			out = append(out, c.Value)
		}
	}
	return out
}

// The base image's README says which files of documentation stay: licences ask
// for the copyright files.
func TestCopyrightFilesStay(t *testing.T) {
	for _, img := range project(t).Images {
		if img.Bootstrap == nil {
			continue // it inherits, and what it prunes beside is its own matter
		}
		for name, goes := range map[string]bool{
			"/usr/share/doc/opensm/copyright":     false,
			"/usr/share/doc/opensm/README.Debian": true,
			"/usr/share/doc/opensm/changelog.gz":  true,
			"/usr/share/man/man8":                 true,
		} {
			matched := ""
			for _, r := range img.Prune {
				if ok, err := path.Match(r.Value, name); ok && err == nil {
					matched = r.Value
				}
			}
			if (matched != "") != goes {
				t.Errorf("image %s: %s is to be pruned: %v; matched by %q", img.Name, name, goes, matched)
			}
		}
	}
}
