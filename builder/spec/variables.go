package spec

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// variable is a variable block, and the value it ends up with.
type variable struct {
	name        string
	dir         string
	description string
	sensitive   bool
	typ         cty.Type
	defaults    *typeexpr.Defaults
	fallback    *hcl.Attribute // the default
	validations []validationBody
	label       hcl.Range

	given *givenValue // the last of those that were given
	// value is unknown when it could not be had.
	value  cty.Value
	source string
	rng    hcl.Range // where the value stands
}

// declareVariable reads a variable block, without its value.
func (l *loader) declareVariable(block *hcl.Block, dir string) {
	v := &variable{name: block.Labels[0], dir: dir, label: block.LabelRanges[0], typ: cty.DynamicPseudoType, value: cty.DynamicVal}
	if !hclsyntax.ValidIdentifier(v.name) {
		l.errorAt(&v.label, "Invalid variable name", "%q cannot be written as var.NAME. A name begins with a letter and holds letters, digits, \"_\" and \"-\".", v.name)
		return
	}
	if other, ok := l.variables[v.name]; ok {
		l.errorAt(&v.label, "Duplicate variable", "Variable %q was declared at %s already. Remove one of the two.", v.name, other.label)
		return
	}
	l.variables[v.name] = v

	var body variableBody
	l.diags = append(l.diags, gohcl.DecodeBody(block.Body, nil, &body)...)
	d := &decoder{collector: &l.collector, ctx: l.values.constant(dir)}
	v.description = d.text(body.Description, "").value
	v.sensitive = d.boolean(body.Sensitive)
	v.fallback = body.Default
	v.validations = body.Validations
	if body.Type != nil {
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(body.Type.Expr)
		l.diags = append(l.diags, diags...)
		if !diags.HasErrors() {
			v.typ, v.defaults = typ, defaults
		}
	}
}

// assign finds the value of every variable and holds it against its rules.
func (l *loader) assign(opts Options) {
	l.gather(opts)
	for _, name := range slices.Sorted(maps.Keys(l.variables)) {
		v := l.variables[name]
		v.value = l.valueOf(v)
		if v.sensitive {
			v.value = v.value.Mark(sensitiveMark{})
		}
		l.values.vars[name] = v.value
	}
	for _, name := range slices.Sorted(maps.Keys(l.variables)) {
		l.validateVariable(l.variables[name])
	}
}

// valueOf picks, evaluates and converts the value of a variable.
func (l *loader) valueOf(v *variable) cty.Value {
	var raw cty.Value
	switch {
	case v.given != nil:
		v.source, v.rng = v.given.source, v.given.rng
		var diags hcl.Diagnostics
		raw, diags = v.given.evaluate(v)
		if diags.HasErrors() {
			l.diags = append(l.diags, diags...)
			return cty.DynamicVal
		}
	case v.fallback != nil:
		v.source, v.rng = "default", v.fallback.Expr.Range()
		raw = l.evaluate(v.fallback.Expr, l.values.constant(v.dir))
		if !raw.IsWhollyKnown() {
			return cty.DynamicVal
		}
	default:
		l.errorAt(&v.label, "Variable without a value",
			"Variable %q has neither a default nor a value. Give it one with --var '%s=VALUE', with %s%s in the environment, or in a file named by --var-file.",
			v.name, v.name, environPrefix, v.name)
		return cty.DynamicVal
	}
	if v.defaults != nil {
		raw = v.defaults.Apply(raw)
	}
	val, err := convert.Convert(raw, v.typ)
	if err != nil {
		l.errorAt(l.placeOf(v), "Value of the wrong type", "The value of variable %q (%s) does not fit its type, %s: %s.",
			v.name, origin(v.source), typeexpr.TypeString(v.typ), err)
		return cty.DynamicVal
	}
	return val
}

// placeOf is where to point at for a fault of the value. A sensitive value is
// never shown, so its declaration stands in.
func (l *loader) placeOf(v *variable) *hcl.Range {
	if v.sensitive && v.given != nil {
		return &v.label
	}
	return &v.rng
}

// origin completes "the value of … ": Variable.Source in words.
func origin(source string) string {
	switch source {
	case "default":
		return "its default"
	case "--var":
		return "given by --var"
	case "environment":
		return "given by the environment"
	}
	return "given by " + source
}

// validateVariable carries out the validation blocks, which may use all
// variables, but no locals.
func (l *loader) validateVariable(v *variable) {
	if !v.value.IsWhollyKnown() {
		return
	}
	ctx := l.values.context(v.dir, map[string]map[string]cty.Value{"var": l.values.vars})
	d := &decoder{collector: &l.collector, ctx: ctx, allowSensitive: true}
	for _, rule := range v.validations {
		if rule.Condition == nil || rule.ErrorMessage == nil {
			l.errorAt(&rule.DefRange, "Incomplete validation", "A validation block needs a condition, which is true for good values, and an error_message, which says what a good value is.")
			continue
		}
		before := len(l.diags)
		good := d.boolean(rule.Condition)
		if len(l.diags) > before || good || !d.known(rule.Condition) {
			continue
		}
		message := d.text(rule.ErrorMessage, "")
		if !message.ok {
			continue
		}
		shown := message.value
		if message.sensitive {
			shown = "The message holds a sensitive value and is not shown."
		}
		l.errorAt(l.placeOf(v), "Invalid value for variable", "The value of variable %q (%s) is refused by the rule at %s: %s",
			v.name, origin(v.source), rule.Condition.Expr.Range(), shown)
	}
}

// listVariables describes the variables for Project.
func (l *loader) listVariables() []Variable {
	var out []Variable
	for _, name := range slices.Sorted(maps.Keys(l.variables)) {
		v := l.variables[name]
		entry := Variable{Name: name, Description: v.description, Sensitive: v.sensitive, Source: v.source, Value: "(sensitive)"}
		if !v.sensitive && v.value.IsWhollyKnown() {
			b, err := ctyjson.Marshal(v.value, v.value.Type())
			if err != nil {
				l.errorAt(&v.rng, "Value cannot be shown", "The value of variable %q has no JSON form: %s.", name, err)
				continue
			}
			entry.Value = string(b)
		}
		out = append(out, entry)
	}
	return out
}

// describe is how a value from outside is named as a file in messages.
func describe(source, name string) string {
	return fmt.Sprintf("%s %s", source, name)
}
