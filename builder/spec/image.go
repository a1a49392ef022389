package spec

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/suggest"
)

// imageDecoder decodes and judges one image.
type imageDecoder struct {
	decoder
	fsys   fs.FS
	block  *imageBlock
	from   *hcl.EvalContext // scope of the from attribute
	images []string         // names of all images
}

func (d *imageDecoder) decode(body *imageBody) *Image {
	def := d.block.block.DefRange
	image := &Image{Name: d.block.label.value, Dir: d.block.dir, DefRange: def}
	if d.block.bodyOK || body.Description != nil {
		image.Description = d.required(body.Description, "description", def, "Say in one line what the image is; its OCI label shows it.").value
	}
	d.origin(image, body)

	packages := d.packages(body.Packages)
	image.Packages = valuesOf(packages)
	image.OmitPackages = d.reasoned(body.OmitPackages, d.packageName)
	d.contradictions(image, packages)
	image.Prune = d.reasoned(body.Prune, d.prunePattern)

	image.Rootfs, image.RootfsFS = d.rootfs(body.Rootfs)
	image.Payloads = d.payloads(body.Payloads)
	image.Runs = d.runs(body.Runs, image.Payloads)
	image.Units = d.units(body.Units, image)
	image.Env = d.env(body.Env)
	image.Labels = d.labels(body.Labels)
	if body.Runtime != nil {
		image.Runtime = d.runtime(body.Runtime)
	}
	return image
}

// packages gives a list of Debian package names, the faulty ones left out.
func (d *imageDecoder) packages(attr *hcl.Attribute) []text {
	list, _ := d.texts(attr)
	return slices.DeleteFunc(list, func(t text) bool { return !d.packageName(t) })
}

func (d *imageDecoder) packageName(t text) bool {
	if strings.HasSuffix(t.value, "-") && packageName.MatchString(t.value) {
		d.errorAt(&t.rng, "Invalid package name", "%q ends in \"-\", which apt-get(8) takes for the removal of %q. A package that is not to be installed belongs in omit_packages.", t.value, strings.TrimSuffix(t.value, "-"))
		return false
	}
	if !packageName.MatchString(t.value) {
		d.errorAt(&t.rng, "Invalid package name", "%q is no Debian package name: it has at least two characters out of lower case letters, digits, \"+\", \"-\" and \".\", and begins with a letter or digit (Debian policy 5.6.1). Versions, architectures and releases are not given here.", t.value)
		return false
	}
	return true
}

// prunePattern judges a pattern of paths.
func (d *imageDecoder) prunePattern(t text) bool {
	if !cleanAbsolute(t.value) {
		d.errorAt(&t.rng, "Invalid prune pattern", "%q is no absolute path in its shortest form, below \"/\" and without \"..\", such as \"/usr/share/doc/*\".", t.value)
		return false
	}
	if _, err := path.Match(t.value, ""); err != nil {
		d.errorAt(&t.rng, "Invalid prune pattern", "%q cannot be matched: a \"[\" or \"\\\" is not complete. Known are *, ?, [a-z] and \\ to quote one of them.", t.value)
		return false
	}
	// path.Match would take "!" for one more character of the class, and prune
	// just what the shell's form keeps.
	if strings.Contains(t.value, "[!") {
		d.errorAt(&t.rng, "Invalid prune pattern", "%q negates as the shell does. Here \"^\" does: %q.", t.value, strings.ReplaceAll(t.value, "[!", "[^"))
		return false
	}
	return true
}

// reasoned gives a map of names to reasons. A name without a reason cannot be
// told from a leftover by whoever comes next.
func (d *imageDecoder) reasoned(attr *hcl.Attribute, valid func(text) bool) []Reasoned {
	var out []Reasoned
	for _, p := range d.pairs(attr) {
		ok := valid(p.key)
		if strings.TrimSpace(p.value.value) == "" {
			d.errorAt(&p.value.rng, "Missing reason", "%q in %q is given no reason. Say why it may go.", p.key.value, attr.Name)
			ok = false
		}
		if ok {
			out = append(out, Reasoned{p.key.value, p.value.value})
		}
	}
	return out
}

// contradictions are packages both asked for and left out.
func (d *imageDecoder) contradictions(image *Image, packages []text) {
	for _, p := range packages {
		if slices.ContainsFunc(image.OmitPackages, func(r Reasoned) bool { return r.Value == p.value }) {
			d.errorAt(&p.rng, "Package both installed and omitted", "%q stands in packages and in omit_packages. Remove it from one of them.", p.value)
		}
	}
}

// env gives environment variables.
func (d *imageDecoder) env(attr *hcl.Attribute) map[string]string {
	var out map[string]string
	for _, p := range d.pairs(attr) {
		switch {
		case !envName.MatchString(p.key.value):
			d.errorAt(&p.key.rng, "Invalid environment variable", "%q is no name of an environment variable: letters, digits and \"_\", no digit first.", p.key.value)
		case strings.ContainsRune(p.value.value, 0):
			d.errorAt(&p.value.rng, "Invalid environment variable", "The value of %q holds a NUL character, where the environment ends it.", p.key.value)
		default:
			if out == nil {
				out = map[string]string{}
			}
			out[p.key.value] = p.value.value
		}
	}
	return out
}

// labels gives OCI labels. Those that ibforge writes itself cannot be given.
func (d *imageDecoder) labels(attr *hcl.Attribute) map[string]string {
	var out map[string]string
	for _, p := range d.pairs(attr) {
		switch key := p.key.value; {
		case key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			d.errorAt(&p.key.rng, "Invalid label", "%q is no label key: it may be neither empty nor hold white space. Use reverse domain notation, as in \"org.example.team\".", key)
		case strings.HasPrefix(key, "io.ibforge."):
			d.errorAt(&p.key.rng, "Reserved label", "%q begins with \"io.ibforge.\", which ibforge keeps for itself. Choose a prefix of your own domain.", key)
		case key == "org.opencontainers.image.created":
			d.errorAt(&p.key.rng, "Reserved label", "%q would differ in every build. ibforge dates all images alike, so that equal content has an equal digest; remove the label.", key)
		default:
			if out == nil {
				out = map[string]string{}
			}
			out[key] = p.value.value
		}
	}
	return out
}

// runs gives the commands of the build.
func (d *imageDecoder) runs(bodies []runBody, payloads []Payload) []Run {
	var out []Run
	used := map[string]bool{}
	names := uniqueNames{decoder: &d.decoder, kind: "run"}
	for i := range bodies {
		b := &bodies[i]
		if !stepName.MatchString(b.Name) {
			d.errorAt(&b.LabelRange, "Invalid run name", "%q is no name of a step: lower case letters, digits, \"-\" and \"_\", a letter or digit first.", b.Name)
		}
		names.add(b.Name, b.LabelRange)
		out = append(out, Run{
			Name:     b.Name,
			Command:  d.command(b.Command, b.DefRange),
			Network:  d.oneOf(d.text(b.Network, "none"), "network", []string{"none", "host"}),
			Env:      d.env(b.Env),
			Payloads: d.runPayloads(b.Payloads, payloads, used),
			DefRange: b.DefRange,
		})
	}
	for _, p := range payloads {
		if !used[p.Name] {
			d.errorAt(&p.DefRange, "Unused payload", "No run block lists %q in \"payloads\", so nothing would see it. Add it there, or remove this block.", p.Name)
		}
	}
	return out
}

// command gives an argument vector. A string is refused: it would have to be
// split by somebody's rules of quoting.
func (d *imageDecoder) command(attr *hcl.Attribute, block hcl.Range) []string {
	const cure = `Give the program and its arguments as a list, ["/usr/bin/true", "--flag"]; for a shell, write it out: ["sh", "-c", "…"].`
	if attr == nil {
		d.errorAt(&block, "Missing command", "\"command\" is required. "+cure)
		return nil
	}
	rng := attr.Expr.Range()
	v, _, ok := d.get(attr)
	if !ok {
		if d.isNull(attr) {
			d.errorAt(&rng, "Missing command", "\"command\" may not be null. "+cure)
		}
		return nil
	}
	if v.Type().IsPrimitiveType() {
		d.errorAt(&rng, "Command is no list", "%q is %s. "+cure, attr.Name, kindOf(v))
		return nil
	}
	list, ok := d.texts(attr)
	switch {
	case !ok:
		return nil
	case len(list) == 0 && v.LengthInt() == 0:
		d.errorAt(&rng, "Missing command", "The list is empty. "+cure)
	case len(list) > 0 && list[0].value == "":
		d.errorAt(&list[0].rng, "Missing command", "The first element is the program and may not be empty. "+cure)
	}
	for _, argument := range list {
		if strings.ContainsRune(argument.value, 0) {
			d.errorAt(&argument.rng, "Invalid command", "An argument holds a NUL character, where execve(2) ends it.")
		}
	}
	return valuesOf(list)
}

// oneOf gives a value out of a few; an absent one passes with its default.
func (d *decoder) oneOf(t text, what string, known []string) string {
	if t.ok && !slices.Contains(known, t.value) {
		choice := "It must be " + listed(known) + "."
		if len(known) > 1 {
			choice = "It must be one of " + listed(known) + "."
		}
		d.errorAt(&t.rng, "Unknown "+what, "%q is not known here. %s%s", t.value, choice, suggest.DidYouMean(t.value, known))
	}
	return t.value
}

func valuesOf(list []text) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.value)
	}
	return out
}

// uniqueNames reports the second use of a name within one list of blocks.
type uniqueNames struct {
	decoder *decoder
	kind    string
	first   map[string]hcl.Range
}

func (u *uniqueNames) add(name string, rng hcl.Range) {
	if u.first == nil {
		u.first = map[string]hcl.Range{}
	}
	if other, ok := u.first[name]; ok {
		u.decoder.errorAt(&rng, "Duplicate "+u.kind, "%q was used at %s already. Merge the two, or rename one.", name, other)
		return
	}
	u.first[name] = rng
}
