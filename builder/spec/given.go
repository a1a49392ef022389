package spec

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/ibforge/ibforge/builder/suggest"
)

// environPrefix makes an environment variable the value of a variable.
const environPrefix = "IBFORGE_VAR_"

// givenValue is a value from outside of the descriptions.
type givenValue struct {
	source string // as in Variable.Source
	rng    hcl.Range
	// expr comes from a var file, text from the command line or environment.
	expr hcl.Expression
	text string
}

// gather finds what is given from outside, weakest source first.
func (l *loader) gather(opts Options) {
	l.gatherEnviron(opts.Environ)
	for _, name := range opts.VarFiles {
		l.gatherFile(name)
	}
	for _, pair := range opts.Vars {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			// Not quoted in full: what follows may be half of a secret.
			l.errorAt(nil, "Malformed --var", "--var wants NAME=VALUE, and there is no \"=\". Quote it against the shell: --var 'NAME=VALUE'.")
			continue
		}
		l.give("--var", describe("--var", name), name, name, value)
	}
}

func (l *loader) gatherEnviron(environ []string) {
	found := map[string]string{}
	for _, pair := range environ {
		key, value, ok := strings.Cut(pair, "=")
		if name, ours := strings.CutPrefix(key, environPrefix); ok && ours {
			found[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		l.give("environment", "environment", name, environPrefix+name, found[name])
	}
}

// give hands a text to a variable. It is shown in messages as the line
// key=text of a file, so that they can point at it.
func (l *loader) give(source, file, name, key, value string) {
	if source == "environment" {
		file = describe(source, key)
	}
	start := hcl.Pos{Line: 1, Column: utf8.RuneCountInString(key) + 2, Byte: len(key) + 1}
	rng := hcl.Range{Filename: file, Start: start, End: start}
	firstLine, _, _ := strings.Cut(value, "\n")
	rng.End.Byte += len(firstLine)
	rng.End.Column += utf8.RuneCountInString(firstLine)

	v, ok := l.variables[name]
	if !ok {
		l.undeclared(nil, name, "It is given by "+describeKey(source, key)+".")
		return
	}
	if !v.sensitive {
		l.files[file] = &hcl.File{Bytes: []byte(key + "=" + value)}
	}
	v.given = &givenValue{source: source, rng: rng, text: value}
}

func describeKey(source, key string) string {
	if source == "environment" {
		return "the environment variable " + key
	}
	return source
}

// undeclared reports a value for a variable that is not there: a typo here
// would otherwise leave the default in force without a word.
func (l *loader) undeclared(subject *hcl.Range, name, given string) {
	names := slices.Collect(maps.Keys(l.variables))
	cure := suggest.DidYouMean(name, names)
	if cure == "" {
		cure = " Declare it with a variable block, or leave it out."
	}
	if given != "" {
		given = " " + given
	}
	l.errorAt(subject, "Value for an undeclared variable", "There is no variable named %q.%s%s", name, given, cure)
}

// gatherFile reads a var file, whose values must be constant.
func (l *loader) gatherFile(name string) {
	clean, ok := l.inProject(name)
	if !ok {
		return
	}
	body := l.parse(clean)
	if body == nil {
		return
	}
	attrs, diags := body.JustAttributes()
	l.diags = append(l.diags, diags...)
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		attr := attrs[key]
		v, ok := l.variables[key]
		if !ok {
			l.undeclared(&attr.NameRange, key, "")
			continue
		}
		v.given = &givenValue{source: clean, rng: attr.Expr.Range(), expr: attr.Expr}
	}
}

// evaluate reads the value. A text for a variable of a simple type is taken as
// it is, without quotes; for any other type it is an HCL expression.
func (g *givenValue) evaluate(v *variable) (cty.Value, hcl.Diagnostics) {
	expr := g.expr
	var diags hcl.Diagnostics
	if expr == nil {
		if v.typ == cty.DynamicPseudoType || v.typ.IsPrimitiveType() {
			return cty.StringVal(g.text), nil
		}
		expr, diags = hclsyntax.ParseExpression([]byte(g.text), g.rng.Filename, g.rng.Start)
	}
	val := cty.DynamicVal
	if !diags.HasErrors() {
		val, diags = expr.Value(nil)
	}
	if diags.HasErrors() && v.sensitive {
		return cty.DynamicVal, hcl.Diagnostics{fault(&v.label, "Value cannot be read",
			"The value of variable %q (%s) is no constant HCL expression. It is sensitive, so the place of the fault is not shown.", v.name, origin(g.source))}
	}
	return val, diags
}
