package docs

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/spec"
)

// load reads one description in a project that has the files which examples
// speak of.
func load(t *testing.T, name, text string) {
	t.Helper()
	unit := "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
	res, diags := spec.Load(spec.Options{FS: fstest.MapFS{
		"images/example/" + name: {Data: []byte(text)},
		"images/example/rootfs/etc/systemd/system/opensm-ports.service": {Data: []byte(unit)},
	}})
	if len(diags) == 0 && len(res.Project.Images) > 0 {
		return
	}
	var b bytes.Buffer
	if err := spec.WriteDiagnostics(&b, res.Files, diags, 78, false); err != nil {
		t.Fatal(err)
	}
	t.Errorf("the description is not valid, or has no image:\n%s", &b)
}

func TestDescriptions(t *testing.T) {
	for _, e := range examples(t, "hcl") {
		t.Run(e.place(), func(t *testing.T) {
			load(t, "image.ibforge.hcl", e.block.text)
		})
	}
}

// A fragment is what stands in an image block.
func TestFragments(t *testing.T) {
	for _, e := range examples(t, "hcl fragment") {
		t.Run(e.place(), func(t *testing.T) {
			load(t, "image.ibforge.hcl", `image "example" {
  description = "Example"
  from        = "docker://registry.example/base@sha256:`+strings.Repeat("0", 64)+`"
`+e.block.text+"}\n")
		})
	}
}

func TestDescriptionsInJSON(t *testing.T) {
	for _, e := range examples(t, "json description") {
		t.Run(e.place(), func(t *testing.T) {
			load(t, "image.ibforge.hcl.json", e.block.text)
		})
	}
}

// Var files have constant values only.
func TestValues(t *testing.T) {
	for _, e := range examples(t, "hcl values") {
		t.Run(e.place(), func(t *testing.T) {
			file, diags := hclsyntax.ParseConfig([]byte(e.block.text), e.name, hcl.InitialPos)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			attributes, diags := file.Body.JustAttributes()
			if diags.HasErrors() || len(attributes) == 0 {
				t.Errorf("%d attributes, %v", len(attributes), diags)
			}
			for name, attribute := range attributes {
				if _, diags := attribute.Expr.Value(nil); diags.HasErrors() {
					t.Errorf("%s is not constant: %v", name, diags)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for _, e := range examples(t, "json") {
		t.Run(e.place(), func(t *testing.T) {
			if !json.Valid([]byte(e.block.text)) {
				t.Error("it is no JSON")
			}
		})
	}
}

func TestYAML(t *testing.T) {
	for _, e := range examples(t, "yaml") {
		t.Run(e.place(), func(t *testing.T) {
			var v any
			if err := yaml.Unmarshal([]byte(e.block.text), &v); err != nil || v == nil {
				t.Errorf("it is no YAML: %v", err)
			}
		})
	}
}
