package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/zclconf/go-cty/cty"

	"github.com/ibforge/ibforge/builder/suggest"
)

// imageBlock is one image block, or one instance of a block with for_each.
type imageBlock struct {
	label text
	block *hcl.Block
	dir   string
	each  map[string]cty.Value

	image *Image
	// parent is the image that from names, whether or not it exists.
	parent text
	// bodyOK is unset when the shape of the body is at fault: what is missing
	// then may only be misspelt.
	bodyOK bool
}

// decodeImages expands, decodes, links and orders the images.
func (l *loader) decodeImages() []*Image {
	instances := l.expandImages()
	byName := map[string]*imageBlock{}
	for _, b := range instances {
		if !imageName.MatchString(b.label.value) {
			l.errorAt(&b.label.rng, "Invalid image name", "%q is no image name: it becomes part of an image reference, so it holds lower case letters, digits and \"-\" only, and begins with a letter or digit.", b.label.value)
		}
		if other, ok := byName[b.label.value]; ok {
			l.errorAt(&b.label.rng, "Duplicate image", "An image named %q was defined at %s already. Rename one of the two.", b.label.value, other.label.rng)
			continue
		}
		byName[b.label.value] = b
		l.values.images[b.label.value] = cty.StringVal(imagePrefix + b.label.value)
	}
	for _, b := range instances {
		l.decodeImage(b)
	}
	return l.link(byName)
}

// expandImages makes an instance of each block for each element of its
// for_each. After a faulty for_each nobody knows which images there would be,
// so references to images are not judged any more.
func (l *loader) expandImages() (out []*imageBlock) {
	for _, b := range l.blocks {
		content, _, _ := b.block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "for_each"}}})
		attr := content.Attributes["for_each"]
		if attr == nil {
			out = append(out, b)
			continue
		}
		elements, ok := l.forEach(attr, b.dir)
		l.values.imagesUnsure = l.values.imagesUnsure || !ok
		for _, key := range slices.Sorted(maps.Keys(elements)) {
			instance := *b
			instance.label.value += "-" + key
			instance.each = map[string]cty.Value{"key": cty.StringVal(key), "value": elements[key]}
			out = append(out, &instance)
		}
	}
	return out
}

// forEach gives the elements of a for_each by key.
func (l *loader) forEach(attr *hcl.Attribute, dir string) (map[string]cty.Value, bool) {
	d := &decoder{collector: &l.collector, ctx: l.values.image(dir, nil)}
	rng := attr.Expr.Range()
	before := len(l.diags)
	v, _, ok := d.get(attr)
	if !ok {
		if len(l.diags) == before && v.IsKnown() {
			l.errorAt(&rng, "Invalid for_each", "for_each is null. Give a map, or {} for no image.")
		}
		return nil, false
	}
	t := v.Type()
	isSet := t.IsSetType() && t.ElementType() == cty.String
	if !isSet && !t.IsMapType() && !t.IsObjectType() {
		l.errorAt(&rng, "Invalid for_each", "for_each must be a map, or a set of strings as toset([\"a\", \"b\"]) makes; this is %s.", kindOf(v))
		return nil, false
	}
	out := map[string]cty.Value{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if !key.IsKnown() || key.IsNull() {
			return nil, false
		}
		out[key.AsString()] = value
	}
	return out, true
}

// decodeImage decodes one instance.
func (l *loader) decodeImage(b *imageBlock) {
	ctx := l.values.image(b.dir, b.each)
	l.checkDynamic(b.block.Body, ctx)
	expanded := dynblock.Expand(b.block.Body, ctx, dynblock.OptCheckForEach(checkDynamicForEach))

	var body imageBody
	diags := gohcl.DecodeBody(expanded, nil, &body)
	l.diags = append(l.diags, diags...)
	b.bodyOK = !diags.HasErrors()

	d := &imageDecoder{
		decoder: decoder{collector: &l.collector, ctx: ctx},
		fsys:    l.fsys,
		block:   b,
		from:    l.values.from(b.dir, b.each),
		images:  slices.Collect(maps.Keys(l.values.images)),
	}
	b.image = d.decode(&body)
}

// checkDynamicForEach refuses sensitive values: dynblock would carry the mark
// on to labels, which are names.
func checkDynamicForEach(v cty.Value, expr hcl.Expression, _ *hcl.EvalContext) hcl.Diagnostics {
	if !v.ContainsMarked() {
		return nil
	}
	rng := expr.Range()
	return hcl.Diagnostics{fault(&rng, "Sensitive value in a description", "for_each comes from a sensitive variable, and all that an image says is written to the plan and into the image. Hand a secret over at run time, in a file on a volume.")}
}

// checkDynamic reports unknown names in the labels and for_each of dynamic
// blocks, which dynblock evaluates on its own and without suggestions.
func (l *loader) checkDynamic(body hcl.Body, ctx *hcl.EvalContext) {
	schema, _ := gohcl.ImpliedBodySchema(imageBody{})
	l.walkDynamic(dynblock.WalkExpandVariables(body), body, schema, ctx)
}

func (l *loader) walkDynamic(node dynblock.WalkVariablesNode, body hcl.Body, schema *hcl.BodySchema, ctx *hcl.EvalContext) {
	traversals, children := node.Visit(schema)
	l.checkReferences(traversals, ctx)
	content, _, _ := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "dynamic", LabelNames: []string{"type"}}}})
	for _, block := range content.Blocks {
		var known []string
		for _, b := range schema.Blocks {
			known = append(known, b.Type)
		}
		if label := block.Labels[0]; !slices.Contains(known, label) {
			l.errorAt(&block.LabelRanges[0], "Unsupported block type", "Blocks of type %q are not expected here.%s", label, suggest.DidYouMean(label, known))
		}
	}
	for _, child := range children {
		inner := &hcl.BodySchema{}
		switch child.BlockTypeName {
		case "runtime":
			inner, _ = gohcl.ImpliedBodySchema(runtimeBody{})
		case "port":
			inner, _ = gohcl.ImpliedBodySchema(portBody{})
		}
		l.walkDynamic(child.Node, child.Body(), inner, ctx)
	}
}

// link resolves the parents and gives the images, parents first.
func (l *loader) link(byName map[string]*imageBlock) []*Image {
	names := slices.Sorted(maps.Keys(byName))
	for _, name := range names {
		b := byName[name]
		if !b.parent.ok {
			continue
		}
		if parent, ok := byName[b.parent.value]; ok {
			b.image.Parent = parent.image
		} else if !l.values.imagesUnsure {
			l.errorAt(&b.parent.rng, "Unknown image", "There is no image named %q.%s", b.parent.value, imageHint(b.parent.value, names))
		}
	}
	l.reportCycles(byName)
	if l.diags.HasErrors() {
		return nil
	}
	return order(byName)
}

// imageHint helps who mistyped an image's name, or gave that of a block with
// for_each instead of one of its images.
func imageHint(name string, names []string) string {
	if hint := suggest.DidYouMean(name, names); hint != "" {
		return hint
	}
	var instances []string
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		if strings.HasPrefix(candidate, name+"-") {
			instances = append(instances, candidate)
		}
	}
	if instances == nil {
		return " It must be the label of an image block."
	}
	return " With for_each the key is part of the name: there is " + listed(instances) + "."
}
