package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/cli"
)

// stages are the calls of ibforge in a workflow, in this order.
func stages() []string {
	return []string{
		"validate", "plan", "build", "verify", "push",
		"deploy --action precheck", "deploy --check --diff", "deploy --action upgrade", "deploy --action check",
	}
}

// The workflows run what ibforge takes, and all stages in their order.
func TestPipelines(t *testing.T) {
	found := 0
	blocks, _ := read(t, "docs/pipeline.md").blocks()
	for _, b := range blocks {
		if b.info != "yaml" {
			continue
		}
		found++
		name, _, _ := strings.Cut(b.text, "\n")
		t.Run(strings.TrimPrefix(name, "# "), func(t *testing.T) {
			var workflow yaml.Node
			if err := yaml.Unmarshal([]byte(b.text), &workflow); err != nil {
				t.Fatal(err)
			}
			var seen []string
			for _, line := range scripts(&workflow) {
				for _, args := range ibforge(line) {
					seen = append(seen, stage(args))
					runLine(t, args)
				}
			}
			// Who has which port is looked at beside the descriptions.
			seen = slices.DeleteFunc(seen, func(s string) bool { return s == "portmap" })
			if !slices.Equal(seen, stages()) {
				t.Errorf("the stages are %q, want %q", seen, stages())
			}
		})
	}
	if found != 2 {
		t.Errorf("found %d workflows, want that of GitLab and that of GitHub", found)
	}
}

// scripts are the lines of shell below the keys script and run.
func scripts(n *yaml.Node) []string {
	var out []string
	for i, c := range n.Content {
		key := ""
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			key = n.Content[i-1].Value
		}
		switch {
		case key == "run" && c.Kind == yaml.ScalarNode:
			out = append(out, strings.Split(c.Value, "\n")...)
		case key == "script":
			for _, line := range c.Content {
				out = append(out, line.Value)
			}
		default:
			out = append(out, scripts(c)...)
		}
	}
	return out
}

// stage is the verb, with the flags that make another one of deploy.
func stage(args []string) string {
	if args[0] != "deploy" {
		return args[0]
	}
	i := slices.Index(args, "--inventory")
	return strings.Join(append([]string{args[0]}, args[i+2:]...), " ")
}

// runLine runs a line whose variables of the forge have some value.
func runLine(t *testing.T, args []string) {
	t.Helper()
	if args[0] == "verify" {
		return // TestCommandLines has the verb; an engine is none of this test's business
	}
	var filled []string
	for _, a := range args {
		if a == ">" {
			break // a file of the shell's
		}
		a = strings.ReplaceAll(a, "$REGISTRY/", "registry.example:5000/")
		filled = append(filled, regexp.MustCompile(`\$\{?\w+\}?`).ReplaceAllString(a, "x"))
	}
	if code, _, stderr := newWorld(t).run(t.Context(), filled...); code != cli.ExitOK {
		t.Errorf("ibforge %s: the exit code is %d\n%s", strings.Join(filled, " "), code, stderr)
	}
}
