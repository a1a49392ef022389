package spec

import (
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decoder turns attributes into Go values. A fault is reported once; what it
// gives out then has ok unset, and rules leave it alone.
type decoder struct {
	*collector
	ctx *hcl.EvalContext
	// allowSensitive is for validations only: all that an image says ends up
	// in the plan, in the image's history and in cache keys.
	allowSensitive bool
}

// text is a string and where it stands.
type text struct {
	value     string
	rng       hcl.Range
	sensitive bool
	// ok is unset for an absent and for a faulty value.
	ok bool
}

// pair is an element of a map of strings.
type pair struct {
	key, value text
}

// get evaluates an attribute. An absent attribute and null give ok unset.
func (d *decoder) get(attr *hcl.Attribute) (v cty.Value, sensitive, ok bool) {
	if attr == nil {
		return cty.NilVal, false, false
	}
	v = d.evaluate(attr.Expr, d.ctx)
	sensitive = v.ContainsMarked()
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() || v.IsNull() {
		return v, sensitive, false
	}
	if sensitive && !d.allowSensitive {
		rng := attr.Expr.Range()
		d.errorAt(&rng, "Sensitive value in a description", "The value of %q comes from a sensitive variable. All that an image says is written to the plan and into the image, where everybody reads it. Hand a secret over at run time, in a file on a volume.", attr.Name)
		return v, sensitive, false
	}
	return v, sensitive, true
}

// known tells whether an attribute has a value that can be judged.
func (d *decoder) known(attr *hcl.Attribute) bool {
	v, _ := attr.Expr.Value(d.ctx)
	return v.IsWhollyKnown() && !v.IsNull()
}

// as gives the attribute's value converted to a primitive type.
func (d *decoder) as(attr *hcl.Attribute, want cty.Type, example string) (v cty.Value, sensitive, ok bool) {
	v, sensitive, ok = d.get(attr)
	if !ok {
		return v, sensitive, false
	}
	out, err := convert.Convert(v, want)
	if err != nil {
		rng := attr.Expr.Range()
		d.errorAt(&rng, "Value of the wrong type", "%q must be a %s, such as %s; this is %s.", attr.Name, want.FriendlyName(), example, kindOf(v))
		return v, sensitive, false
	}
	return out, sensitive, out.IsKnown() && !out.IsNull()
}

// text gives a string; an absent one is the fallback, with ok unset.
func (d *decoder) text(attr *hcl.Attribute, fallback string) text {
	out := text{value: fallback}
	if attr != nil {
		out.rng = attr.Expr.Range()
	}
	v, sensitive, ok := d.as(attr, cty.String, `"text"`)
	if ok {
		out.value, out.sensitive, out.ok = v.AsString(), sensitive, true
	}
	return out
}

// required gives a string that has to be there and may not be blank.
func (d *decoder) required(attr *hcl.Attribute, name string, block hcl.Range, cure string) text {
	if attr == nil {
		d.errorAt(&block, "Missing "+name, "%q is required. %s", name, cure)
		return text{}
	}
	before := len(d.diags)
	t := d.text(attr, "")
	absent := !t.ok && len(d.diags) == before && d.isNull(attr)
	if absent || t.ok && strings.TrimSpace(t.value) == "" {
		d.errorAt(&t.rng, "Missing "+name, "%q may not be empty. %s", name, cure)
		t.ok = false
	}
	return t
}

func (d *decoder) isNull(attr *hcl.Attribute) bool {
	v, _ := attr.Expr.Value(d.ctx)
	return v.IsKnown() && v.IsNull()
}

// boolean takes an absent or faulty value for false.
func (d *decoder) boolean(attr *hcl.Attribute) bool {
	v, _, ok := d.as(attr, cty.Bool, "true")
	return ok && v.True()
}

// whole gives an integer from 1 to high; an absent or faulty one is the
// fallback, with ok unset.
func (d *decoder) whole(attr *hcl.Attribute, fallback, high int) (n int, ok bool) {
	v, _, ok := d.as(attr, cty.Number, "3")
	if !ok {
		return fallback, false
	}
	f := v.AsBigFloat()
	if !f.IsInt() || f.Cmp(big.NewFloat(1)) < 0 || f.Cmp(big.NewFloat(float64(high))) > 0 {
		rng := attr.Expr.Range()
		d.errorAt(&rng, "Number out of range", "%q is %s; it must be a whole number from 1 to %d.", attr.Name, f.Text('g', 12), high)
		return fallback, false
	}
	i, _ := f.Int64()
	return int(i), true
}

// duration gives whole seconds, at least low.
func (d *decoder) duration(attr *hcl.Attribute, fallback, low int) int {
	t := d.text(attr, "")
	if !t.ok {
		return fallback
	}
	seconds, fault := parseSeconds(t.value)
	if fault == "" && seconds < low {
		fault = "is too short"
	}
	if fault != "" {
		d.errorAt(&t.rng, "Invalid duration", "%q %s. Write whole seconds, %d or more, as in \"30s\", \"1m30s\" or \"1h\".", t.value, fault, low)
		return fallback
	}
	return seconds
}

// texts gives a list of strings, in order, with the faulty elements left out.
// ok is unset when the attribute is absent or no list.
func (d *decoder) texts(attr *hcl.Attribute) (out []text, ok bool) {
	v, _, ok := d.get(attr)
	if !ok {
		return nil, false
	}
	rng := attr.Expr.Range()
	if t := v.Type(); !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		d.errorAt(&rng, "Value of the wrong type", "%q must be a list of strings, such as [\"one\", \"two\"]; this is %s.", attr.Name, kindOf(v))
		return nil, false
	}
	ranges := elementRanges(attr.Expr, v.LengthInt())
	for it, i := v.ElementIterator(), 0; it.Next(); i++ {
		_, element := it.Element()
		if t := d.element(element, ranges[i], attr.Name); t.ok {
			out = append(out, t)
		}
	}
	return out, true
}

// element converts one element of a list or map.
func (d *decoder) element(v cty.Value, rng hcl.Range, name string) text {
	if !v.IsKnown() {
		return text{}
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		d.errorAt(&rng, "Value of the wrong type", "The elements of %q must be strings; this is %s.", name, kindOf(v))
		return text{}
	}
	return text{value: s.AsString(), rng: rng, ok: s.IsKnown()}
}

// kindOf names the kind of a value, with its article.
func kindOf(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	name := v.Type().FriendlyName()
	if strings.ContainsRune("aeiou", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// elementRanges gives the range of each element where the list is written out,
// and else that of the whole expression.
func elementRanges(expr hcl.Expression, n int) []hcl.Range {
	ranges := slices.Repeat([]hcl.Range{expr.Range()}, n)
	if list, diags := hcl.ExprList(expr); !diags.HasErrors() && len(list) == n {
		for i := range list {
			ranges[i] = list[i].Range()
		}
	}
	return ranges
}

// pairs gives a map of strings, sorted by key, with the faulty ones left out.
func (d *decoder) pairs(attr *hcl.Attribute) []pair {
	v, _, ok := d.get(attr)
	if !ok {
		return nil
	}
	rng := attr.Expr.Range()
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		d.errorAt(&rng, "Value of the wrong type", "%q must be a map of strings, such as { \"name\" = \"text\" }; this is %s.", attr.Name, kindOf(v))
		return nil
	}
	keys, values := pairRanges(attr.Expr)
	var out []pair
	for it := v.ElementIterator(); it.Next(); {
		k, element := it.Element()
		key := text{value: k.AsString(), rng: rng, ok: true}
		at := rng
		if r, ok := keys[key.value]; ok {
			key.rng, at = r, values[key.value]
		}
		if value := d.element(element, at, attr.Name); value.ok {
			out = append(out, pair{key, value})
		}
	}
	slices.SortFunc(out, func(a, b pair) int { return strings.Compare(a.key.value, b.key.value) })
	return out
}

// pairRanges gives the ranges of those elements whose key is written out.
func pairRanges(expr hcl.Expression) (keys, values map[string]hcl.Range) {
	keys, values = map[string]hcl.Range{}, map[string]hcl.Range{}
	list, diags := hcl.ExprMap(expr)
	if diags.HasErrors() {
		return keys, values
	}
	for _, kv := range list {
		k, diags := kv.Key.Value(nil)
		if diags.HasErrors() || !k.IsKnown() || k.IsNull() || k.Type() != cty.String {
			continue
		}
		keys[k.AsString()], values[k.AsString()] = kv.Key.Range(), kv.Value.Range()
	}
	return keys, values
}
