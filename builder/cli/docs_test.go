package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ibforge/ibforge/builder/engine"
	"github.com/ibforge/ibforge/builder/plan"
)

// section is what stands between two comments of a document, line by line.
func section(t *testing.T, doc, name string) (before, text, after string) {
	t.Helper()
	begin := regexp.MustCompile(`(?m)^<!-- begin ` + name + `\b.*-->\n`).FindStringIndex(doc)
	if begin == nil {
		t.Fatalf("there is no <!-- begin %s -->", name)
	}
	text, after, ok := strings.Cut(doc[begin[1]:], "<!-- end "+name+" -->\n")
	if !ok {
		t.Fatalf("there is no <!-- end %s -->", name)
	}
	return doc[:begin[1]], text, "<!-- end " + name + " -->\n" + after
}

// documented compares a section with what it must be; UPDATE=1 writes it.
func documented(t *testing.T, file, name, want string) {
	t.Helper()
	before, got, after := section(t, read(t, file), name)
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, []byte(before+want+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not up to date; UPDATE=1 rewrites it (-program +document):\n%s", file, diff)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func output(t *testing.T, args ...string) string {
	t.Helper()
	var b bytes.Buffer
	if code := Main(t.Context(), args, newApp(engine.NewRecorder(), &b, io.Discard)); code != ExitOK {
		t.Fatalf("ibforge %s: exit code %d", strings.Join(args, " "), code)
	}
	return b.String()
}

func TestCommandLineDocument(t *testing.T) {
	var b strings.Builder
	for _, verb := range newRoot(&globals{}).Commands() {
		if verb.Hidden {
			continue
		}
		fmt.Fprintf(&b, "### ibforge %s\n\n```text\n%s```\n\n", verb.Name(), output(t, verb.Name(), "--help"))
	}
	if n := strings.Count(b.String(), "\n### ") + 1; n != 10 {
		t.Errorf("there are %d verbs", n)
	}
	documented(t, "../../docs/cli.md", "help", "\n"+b.String())
}

// A variable of the environment that nobody knows of is a trap.
func TestEnvironmentIsDocumented(t *testing.T) {
	doc := read(t, "../../docs/cli.md")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		for _, m := range regexp.MustCompile(`\.env\("(\w+)"\)`).FindAllStringSubmatch(read(t, file), -1) {
			found++
			if !strings.Contains(doc, "`"+m[1]+"`") {
				t.Errorf("%s reads %s, and docs/cli.md does not name it", file, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d variables were found in the source: the test no longer finds them", found)
	}
}

func TestPlanDocument(t *testing.T) {
	const file = "../../docs/plan.md"
	_, src, _ := section(t, read(t, file), "description")
	src = strings.TrimSuffix(strings.TrimPrefix(src, "```hcl\n"), "```\n")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "images", "hello"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "images", "hello", "image.ibforge.hcl"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	documented(t, file, "plan", "```json\n"+output(t, "plan", "--json", "-C", dir, "--store", t.TempDir())+"```\n")
}

// Each field of each kind of step stands in the document, and in its section.
func TestPlanFieldsAreDocumented(t *testing.T) {
	doc := read(t, "../../docs/plan.md")
	for _, c := range []struct {
		heading string
		value   any
	}{
		{"## The document", plan.Plan{}},
		{"### An image", planImage{}},
		{"### A step", planStep{}},
		{"### `import`", plan.Import{}},
		{"### `bootstrap`", plan.Bootstrap{}},
		{"### `packages`", plan.Packages{}},
		{"### `rootfs`", plan.Rootfs{}},
		{"### `rootfs`", plan.File{}},
		{"### `units`", plan.Units{}},
		{"### `run`", plan.Run{}},
		{"### `config`", plan.Config{}},
		{"### `config`", plan.Health{}},
	} {
		_, text, ok := strings.Cut(doc, "\n"+c.heading)
		if !ok {
			t.Errorf("there is no heading %s", c.heading)
		}
		text, _, _ = strings.Cut(text, "\n##")
		fields := jsonFields(reflect.TypeOf(c.value))
		if len(fields) == 0 {
			t.Errorf("%T has no fields", c.value)
		}
		for _, f := range fields {
			if !strings.Contains(text, "`"+f+"`") {
				t.Errorf("%s: the field %q of %T is missing", c.heading, f, c.value)
			}
		}
	}
}

func jsonFields(typ reflect.Type) []string {
	var out []string
	for i := range typ.NumField() {
		field := typ.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous:
			out = append(out, jsonFields(field.Type)...)
		case name != "-":
			out = append(out, name)
		}
	}
	return out
}
