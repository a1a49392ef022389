package contract_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"github.com/ibforge/ibforge/builder/contract"
)

const schemaFile = "schema.json"

// TestSchema holds schema.json against the types. UPDATE=1 writes it anew.
func TestSchema(t *testing.T) {
	r := &jsonschema.Reflector{ExpandedStruct: true, Anonymous: true}
	if err := r.AddGoComments("github.com/ibforge/ibforge/builder/contract", ".", jsonschema.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	for name, text := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	s := r.Reflect(&contract.Contract{})
	s.Title = "ibforge Runtime contract"
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is behind the types; run UPDATE=1 go test ./builder/contract, and raise contract.Version if readers must know (-file +types):\n%s", schemaFile, diff)
	}
}

// TestSchemaSays looks for what the generator could lose without a word: a tag
// with a typing error, or a comment that no longer reaches the schema.
func TestSchemaSays(t *testing.T) {
	type property struct {
		Description string `json:"description"`
		Enum        []any  `json:"enum"`
		Pattern     string `json:"pattern"`
		OneOf       []any  `json:"oneOf"`
	}
	type object struct {
		Properties           map[string]property `json:"properties"`
		Required             []string            `json:"required"`
		AdditionalProperties *bool               `json:"additionalProperties"`
	}
	var s struct {
		object
		Schema string            `json:"$schema"`
		Defs   map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(contract.Schema()), &s); err != nil {
		t.Fatal(err)
	}
	if want := "https://json-schema.org/draft/2020-12/schema"; s.Schema != want {
		t.Errorf("$schema = %q, want %q", s.Schema, want)
	}
	if diff := cmp.Diff([]any{float64(contract.Version)}, s.Properties["version"].Enum); diff != "" {
		t.Errorf("the tag of Contract.Version and the constant Version differ (-const +schema):\n%s", diff)
	}
	if len(s.Properties["health"].OneOf) != 2 {
		t.Errorf("health = %+v, want an object or null", s.Properties["health"])
	}
	if got := s.Defs["Volume"].Properties["path"].Pattern; got != "^/" {
		t.Errorf("pattern of a volume's path = %q, want ^/", got)
	}
	if got := s.Properties["units"].Description; got == "" {
		t.Error("the comment of Contract.Units is not in the schema")
	}
	objects := map[string]object{"Contract": s.object}
	maps.Copy(objects, s.Defs)
	for name, def := range objects {
		if def.AdditionalProperties == nil || *def.AdditionalProperties {
			t.Errorf("%s allows unknown fields, which Parse refuses", name)
		}
	}
}
