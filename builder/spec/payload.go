package spec

import (
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/suggest"
)

// defaultLimit bounds a payload's unpacked size where the description does not.
const defaultLimit = 4 << 30

// payloads decodes the payload blocks. A payload that is not given is no fault
// here: a project holds descriptions of products that not every site has.
func (d *imageDecoder) payloads(bodies []payloadBody) []Payload {
	var out []Payload
	names := uniqueNames{decoder: &d.decoder, kind: "payload"}
	places := uniqueNames{decoder: &d.decoder, kind: "payload directory"}
	for i := range bodies {
		b := &bodies[i]
		if !stepName.MatchString(b.Name) {
			d.errorAt(&b.LabelRange, "Invalid payload name", "%q is no name of a payload: lower case letters, digits, \"-\" and \"_\", a letter or digit first.", b.Name)
		}
		names.add(b.Name, b.LabelRange)
		p := Payload{
			Name:     b.Name,
			Limit:    d.size(b.Limit, defaultLimit),
			Supplier: d.required(b.Supplier, "supplier", b.DefRange, "Say who has the file and where a licensed user gets it; whoever lacks it is told so.").value,
			DefRange: b.DefRange,
		}
		unpack := d.required(b.Unpack, "unpack", b.DefRange, "It is the directory in the working container that holds the content while a command runs.")
		if d.mountPath(unpack, "unpack directory") {
			places.add(unpack.value, unpack.rng)
		}
		p.Unpack = unpack.value
		const many = 16
		p.Strip, _ = d.whole(b.Strip, 0, many)
		d.payloadFile(b, &p)
		out = append(out, p)
	}
	return out
}

// payloadFile decodes what names the file itself: both or neither.
func (d *imageDecoder) payloadFile(b *payloadBody, p *Payload) {
	if b.Source == nil {
		d.errorAt(&b.DefRange, "Missing source", "\"source\" is required. Give it a variable whose default is null, which stands for a file that is not at hand.")
		return
	}
	p.Variable = variableIn(b.Source)
	source, sum := d.text(b.Source, ""), d.text(b.SHA256, "")
	p.Source, p.SHA256 = source.value, sum.value
	switch {
	case source.ok && source.value == "":
		d.errorAt(&source.rng, "Empty source", "The name of the file is empty. Use null for a file that is not at hand.")
	case source.ok && strings.ContainsFunc(source.value, control):
		d.errorAt(&source.rng, "Invalid source", "%q holds a control character.", source.value)
	case source.ok && !sum.ok && (b.SHA256 == nil || d.isNull(b.SHA256)):
		at := b.DefRange
		if b.SHA256 != nil {
			at = sum.rng
		}
		d.errorAt(&at, "Missing sha256", "The file %q is not taken on trust. Give \"sha256\" the sum that its supplier publishes; sha256sum(1) prints that of a file.", source.value)
	}
	if sum.ok && !sumForm.MatchString(sum.value) {
		d.errorAt(&sum.rng, "Invalid sha256", "%q is no SHA-256: it must be 64 lower case hexadecimal digits, as sha256sum(1) prints them.", sum.value)
	}
}

// variableIn names the input variable that an expression refers to first.
func variableIn(attr *hcl.Attribute) string {
	for _, t := range attr.Expr.Variables() {
		if len(t) < 2 || t.RootName() != "var" {
			continue
		}
		if step, ok := t[1].(hcl.TraverseAttr); ok {
			return step.Name
		}
	}
	return ""
}

// size gives bytes of a text such as "4GiB".
func (d *imageDecoder) size(attr *hcl.Attribute, fallback int64) int64 {
	t := d.text(attr, "")
	if !t.ok {
		return fallback
	}
	n, err := units.RAMInBytes(t.value)
	if err != nil || n <= 0 {
		d.errorAt(&t.rng, "Invalid size", "%q is no size. Write a number and its unit, as in \"512MiB\" or \"8GiB\".", t.value)
		return fallback
	}
	return n
}

// runPayloads gives the payloads that a command sees.
func (d *imageDecoder) runPayloads(attr *hcl.Attribute, payloads []Payload, used map[string]bool) []string {
	var known []string
	for _, p := range payloads {
		known = append(known, p.Name)
	}
	list, _ := d.texts(attr)
	var out []string
	for _, t := range list {
		switch {
		case !slices.Contains(known, t.value):
			d.errorAt(&t.rng, "Unknown payload", "This image has no payload block labelled %q.%s", t.value, suggest.DidYouMean(t.value, known))
		case slices.Contains(out, t.value):
			d.errorAt(&t.rng, "Duplicate payload", "%q stands in the list twice. Remove one.", t.value)
		default:
			used[t.value] = true
			out = append(out, t.value)
		}
	}
	return out
}
