package spec

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/ibforge/ibforge/builder/suggest"
)

// sensitiveMark is carried by every value that comes from a sensitive variable.
type sensitiveMark struct{}

// scopeValues is what expressions may refer to, filled in step by step.
type scopeValues struct {
	vars   map[string]cty.Value
	locals map[string]cty.Value
	// images maps names to "image.NAME", the form that from understands.
	images map[string]cty.Value
	// imagesUnsure is set when images are missing because of a fault.
	imagesUnsure bool

	fsys      fs.FS
	functions map[string]map[string]function.Function // by directory
}

func newScopeValues(fsys fs.FS) scopeValues {
	return scopeValues{
		vars:      map[string]cty.Value{},
		locals:    map[string]cty.Value{},
		images:    map[string]cty.Value{},
		fsys:      fsys,
		functions: map[string]map[string]function.Function{},
	}
}

// functionsOf gives the functions for a file in dir: paths are relative to it.
func (s *scopeValues) functionsOf(dir string) map[string]function.Function {
	if s.functions[dir] == nil {
		s.functions[dir] = functions(s.fsys, dir)
	}
	return s.functions[dir]
}

// context is the scope of a file in dir with the given root objects.
func (s *scopeValues) context(dir string, roots map[string]map[string]cty.Value) *hcl.EvalContext {
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{},
		Functions: s.functionsOf(dir),
	}
	for name, attributes := range roots {
		ctx.Variables[name] = cty.ObjectVal(maps.Clone(attributes))
	}
	return ctx
}

// constant is the scope of a value that may refer to nothing.
func (s *scopeValues) constant(dir string) *hcl.EvalContext {
	return s.context(dir, nil)
}

// image is the scope of the attributes of an image.
func (s *scopeValues) image(dir string, each map[string]cty.Value) *hcl.EvalContext {
	roots := map[string]map[string]cty.Value{"var": s.vars, "local": s.locals}
	if each != nil {
		roots["each"] = each
	}
	return s.context(dir, roots)
}

// from is the scope of the from attribute, which alone may name images.
func (s *scopeValues) from(dir string, each map[string]cty.Value) *hcl.EvalContext {
	ctx := s.image(dir, each)
	ctx.Variables["image"] = cty.ObjectVal(maps.Clone(s.images))
	if s.imagesUnsure {
		ctx.Variables["image"] = cty.DynamicVal
	}
	return ctx
}

// evaluate gives the value of an expression. Parts that could not be evaluated
// are unknown, and said so in the diagnostics.
func (c *collector) evaluate(expr hcl.Expression, ctx *hcl.EvalContext) cty.Value {
	outer := expr.Variables()
	c.checkReferences(outer, ctx)
	c.checkIterators(hcl.UnwrapExpression(expr).Variables(), outer)
	v, diags := expr.Value(ctx)
	c.diags = append(c.diags, diags...)
	return v
}

// checkReferences reports unknown names with a suggestion. hcl reports them
// too when it evaluates, but for attributes without one; tidy drops the second.
func (c *collector) checkReferences(traversals []hcl.Traversal, ctx *hcl.EvalContext) {
	for _, t := range traversals {
		root, known := ctx.Variables[t.RootName()]
		if !known {
			rng := t[0].SourceRange()
			c.errorAt(&rng, "Unknown variable", "%s", unknownRoot(t, ctx))
			continue
		}
		name, ok := secondName(t)
		if !ok || !root.Type().IsObjectType() || root.Type().HasAttribute(name) {
			continue
		}
		names := slices.Collect(maps.Keys(root.Type().AttributeTypes()))
		rng := t[1].SourceRange()
		kind, hint := unknownName(t.RootName(), name, names)
		c.errorAt(&rng, "Unknown "+kind, "There is no %s named %q.%s", kind, name, hint)
	}
}

// checkIterators reports what is wrong with iterator.NAME in a dynamic block:
// all are the references that outer lacks, because dynblock hides its own.
func (c *collector) checkIterators(all, outer []hcl.Traversal) {
	roots := map[string]bool{}
	for _, t := range outer {
		roots[t.RootName()] = true
	}
	members := []string{"key", "value"}
	for _, t := range all {
		name, ok := secondName(t)
		if !ok || roots[t.RootName()] || slices.Contains(members, name) {
			continue
		}
		rng := t[1].SourceRange()
		kind, hint := unknownName(t.RootName(), name, members)
		c.errorAt(&rng, "Unknown "+kind, "There is no %s named %q.%s", kind, name, hint)
	}
}

// secondName is the name in var.name or var["name"].
func secondName(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

// unknownName tells what kind of thing ROOT.name would be, and what to do.
func unknownName(root, name string, names []string) (kind, hint string) {
	hint = suggest.DidYouMean(name, names)
	var cure string
	switch root {
	case "var":
		kind, cure = "variable", " Declare it with a variable block."
	case "local":
		kind, cure = "local value", " Define it in a locals block."
	case "image":
		return "image", imageHint(name, names)
	default:
		kind, cure = "attribute of "+root, " Known are "+listed(slices.Sorted(slices.Values(names)))+"."
	}
	if hint == "" {
		hint = cure
	}
	return kind, hint
}

// unknownRoot tells what is wrong with the first name of a reference.
func unknownRoot(t hcl.Traversal, ctx *hcl.EvalContext) string {
	name := t.RootName()
	switch name {
	case "image":
		return `Images can be referred to in "from" only.`
	case "each":
		return `"each" is known inside of an image block with for_each only.`
	case "var", "local":
		return fmt.Sprintf("%q cannot be used here: this value is needed before variables and locals are evaluated.", name)
	}
	for _, root := range []string{"var", "local"} {
		if v, ok := ctx.Variables[root]; ok && v.Type().HasAttribute(name) {
			return fmt.Sprintf("There is no variable named %q at the top level. Did you mean \"%s.%s\"?", name, root, name)
		}
	}
	roots := slices.Collect(maps.Keys(ctx.Variables))
	return fmt.Sprintf("There is no variable named %q.%s Values begin with \"var.\", \"local.\" or the name of an iterator; a text needs quotes.", name, suggest.DidYouMean(name, roots))
}
