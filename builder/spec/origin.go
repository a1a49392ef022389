package spec

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/suggest"
)

// imagePrefix begins the value of image.NAME. JSON has no bare references, so
// there the same is written as a string.
const imagePrefix = "image."

// transports of containers-transports(5) that can be built upon.
func transports() []string {
	return []string{"containers-storage", "docker", "docker-archive", "oci", "oci-archive"}
}

// origin decodes what an image is made of: bootstrap or from.
func (d *imageDecoder) origin(image *Image, body *imageBody) {
	def := d.block.block.DefRange
	switch {
	case body.Bootstrap != nil && body.From != nil:
		d.errorAt(&body.From.NameRange, "Both from and bootstrap", "Image %q has \"from\" here and a bootstrap block at %s. Keep one: an image is either built upon another or from a distribution's packages.", image.Name, body.Bootstrap.DefRange)
	case body.Bootstrap == nil && body.From == nil && d.block.bodyOK:
		d.errorAt(&def, "Neither from nor bootstrap", "Image %q has nothing to start from. Give it from = image.NAME, a pinned reference such as \"docker://…@sha256:…\", or a bootstrap block.", image.Name)
	}
	if body.Bootstrap != nil {
		image.Bootstrap = d.bootstrap(body.Bootstrap)
	}
	if body.Digest != nil && d.isNull(body.Digest) {
		body.Digest = nil // as if it were not there
	}
	if body.From != nil {
		d.fromAttribute(image, body)
		return
	}
	if body.Digest != nil {
		d.errorAt(&body.Digest.NameRange, "Digest without a reference", "\"digest\" pins the image that \"from\" names, and there is no \"from\". Remove it.")
	}
}

func (d *imageDecoder) fromAttribute(image *Image, body *imageBody) {
	inner := decoder{collector: d.collector, ctx: d.from}
	from := inner.required(body.From, "from", d.block.block.DefRange, "Write image.NAME or a pinned reference such as \"docker://…@sha256:…\".")
	if !from.ok {
		return
	}
	name, internal := strings.CutPrefix(from.value, imagePrefix)
	if !internal {
		image.Reference = d.reference(from, body.Digest)
		return
	}
	d.block.parent = text{value: name, rng: from.rng, ok: true}
	if body.Digest != nil {
		d.errorAt(&body.Digest.NameRange, "Digest of an own image", "Image %q is built from this project, so its digest is a result, not an input. Remove \"digest\".", name)
	}
}

// reference decodes a reference to an image made elsewhere. It must be pinned:
// otherwise the same description makes another image tomorrow.
func (d *imageDecoder) reference(from text, digest *hcl.Attribute) *Reference {
	transport, location, found := strings.Cut(from.value, ":")
	if !found || !slices.Contains(transports(), transport) {
		known := []string{"docker://", "oci:", "oci-archive:", "docker-archive:", "containers-storage:"}
		hint := suggest.DidYouMean(transport, transports())
		if !found {
			hint = suggest.DidYouMean(imagePrefix+from.value, d.imageReferences())
		}
		d.errorAt(&from.rng, "Unknown image source", "%q is neither image.NAME nor a reference that begins with one of %s.%s", from.value, listed(known), hint)
		return nil
	}
	ref := &Reference{Transport: transport, Location: location, Range: from.rng}
	if transport == "docker" {
		return d.dockerReference(ref, from, digest)
	}
	if location == "" {
		d.errorAt(&from.rng, "Incomplete reference", "%q names nothing behind the transport. containers-transports(5) has the forms.", from.value)
	}
	if digest == nil {
		d.errorAt(&from.rng, "Reference is not pinned", "%q may hold another image tomorrow. Add digest = \"sha256:…\", which skopeo inspect --format '{{.Digest}}' %s prints.", from.value, from.value)
		return ref
	}
	t := d.required(digest, "digest", d.block.block.DefRange, "It is \"sha256:\" and 64 hexadecimal digits.")
	if t.ok && d.digest(t, t.value) {
		ref.Digest = t.value
	}
	return ref
}

func (d *imageDecoder) imageReferences() []string {
	var out []string
	for _, name := range d.images {
		out = append(out, imagePrefix+name)
	}
	return out
}

func (d *imageDecoder) digest(at text, digest string) bool {
	if digestForm.MatchString(digest) {
		return true
	}
	d.errorAt(&at.rng, "Invalid digest", "%q is no digest: it must be \"sha256:\" and 64 lower case hexadecimal digits.", digest)
	return false
}

// dockerReference judges docker://HOST/REPOSITORY@DIGEST.
func (d *imageDecoder) dockerReference(ref *Reference, from text, digest *hcl.Attribute) *Reference {
	if digest != nil {
		d.errorAt(&digest.NameRange, "Digest given apart", "A docker:// reference carries its digest itself, as in \"docker://…@sha256:…\". Move it there and remove \"digest\".")
	}
	name, ok := strings.CutPrefix(ref.Location, "//")
	if !ok {
		d.errorAt(&from.rng, "Incomplete reference", "%q lacks the slashes: write \"docker://HOST/REPOSITORY@sha256:…\".", from.value)
		return ref
	}
	name, pin, pinned := strings.Cut(name, "@")
	ref.Location = "//" + name
	switch {
	case pinned:
		if d.digest(from, pin) {
			ref.Digest = pin
		}
	case digest == nil:
		d.errorAt(&from.rng, "Reference is not pinned", "%q may be another image tomorrow. Append \"@sha256:…\", which skopeo inspect --format '{{.Digest}}' %s prints.", from.value, from.value)
	}
	host, repo, found := strings.Cut(name, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		d.errorAt(&from.rng, "Registry is missing", "%q does not name a registry, so every machine would fill in its own. Write the host, as in \"docker://docker.io/library/debian@sha256:…\".", from.value)
		return ref
	}
	repo, tag, tagged := strings.Cut(repo, ":")
	if tagged && pinned {
		// containers/image refuses "both a tag and digest".
		d.errorAt(&from.rng, "Both tag and digest", "%q has the tag %q beside the digest. The digest alone decides; remove \":%s\".", from.value, tag, tag)
	}
	if !repository.MatchString(repo) {
		d.errorAt(&from.rng, "Invalid repository", "%q is no repository: lower case letters and digits, separated by \"/\", \".\", \"_\" or \"-\".", repo)
	}
	return ref
}

// bootstrap decodes a bootstrap block.
func (d *imageDecoder) bootstrap(b *bootstrapBody) *Bootstrap {
	d.oneOf(text{value: b.Distribution, rng: b.LabelRange, ok: true}, "distribution", []string{"debian"})
	out := &Bootstrap{
		Distribution: b.Distribution,
		Suite:        d.suite(b),
		Variant:      d.oneOf(d.text(b.Variant, "essential"), "variant", variants()),
		Components:   []string{"main"},
		Packages:     valuesOf(d.packages(b.Packages)),
		DefRange:     b.DefRange,
	}
	mirror := d.text(b.Mirror, "http://deb.debian.org/debian")
	if mirror.ok && !mirrorURL.MatchString(mirror.value) {
		d.errorAt(&mirror.rng, "Invalid mirror", "The mirror is no http or https URL without user name, query and fragment, such as \"http://deb.debian.org/debian\". It is written into the image's package sources.")
	}
	out.Mirror = mirror.value
	if list, ok := d.texts(b.Components); ok {
		out.Components = valuesOf(list)
		if len(list) == 0 {
			rng := b.Components.Expr.Range()
			d.errorAt(&rng, "No component", "\"components\" is empty, so there would be no package. Leave it out for [\"main\"].")
		}
		for _, t := range list {
			if !component.MatchString(t.value) {
				d.errorAt(&t.rng, "Invalid component", "%q is no component of an archive, such as \"main\" or \"non-free-firmware\".", t.value)
			}
		}
	}
	return out
}

// suite must be the code name of a release: other names move on to the next
// one, and the image with them.
func (d *imageDecoder) suite(b *bootstrapBody) string {
	suite := d.required(b.Suite, "suite", b.DefRange, "Name a release by its code name, such as \"bookworm\".")
	switch {
	case !suite.ok:
	case movingSuite(suite.value):
		d.errorAt(&suite.rng, "Suite is no release", "%q is another set of packages every now and then. Name a release by its code name, such as \"bookworm\".", suite.value)
	case !codeName.MatchString(suite.value):
		d.errorAt(&suite.rng, "Suite is no release", "%q is no code name: it holds lower case letters only, as \"bookworm\" does.", suite.value)
	}
	return suite.value
}
