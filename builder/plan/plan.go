package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/contract"
	"github.com/ibforge/ibforge/builder/spec"
)

// Format is part of every key. It is raised when the way in which the engine
// carries a step out changes, so that layers made the old way are made anew.
const Format = 2

// Repository is the name below which images are kept. "localhost" is what
// podman puts before a name without a registry; with it written out, docker
// and podman call an image by the same name.
const Repository = "localhost/ibforge"

// Options are the inputs of a plan beside the descriptions.
type Options struct {
	// Arch is the architecture in Go's and OCI's words, such as "amd64".
	Arch string
	// Epoch is the time in seconds since 1970 that every file made by a build
	// and the image itself carry at most (SOURCE_DATE_EPOCH,
	// https://reproducible-builds.org/specs/source-date-epoch/).
	Epoch int64
	// Helper is the SHA-256, in hex, of the static program ibforge-ports,
	// which goes into images whose ports are moved. Empty where it is not at
	// hand; such an image can be looked at then, and not built.
	Helper string
}

// Plan is all that is to be built, parents before children.
type Plan struct {
	Images []Image `json:"images"`
}

// Image is the way to one image.
type Image struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Parent is the name of the planned image that this one comes from; empty
	// for a bootstrap or an imported reference.
	Parent string `json:"parent,omitempty"`
	// Reference is the name that the finished image gets in the store.
	Reference string `json:"reference"`
	// Steps in order; the last one's key is the image's key.
	Steps []Step `json:"steps"`
	// Contract is nil for an image that is only built upon.
	Contract *contract.Contract `json:"contract,omitempty"`
	// Missing are payloads of the image, or of one that it comes from, that
	// are not given. Such an image cannot be built, and its keys say nothing.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is a payload that is not given.
type Missing struct {
	Image    string `json:"image"`
	Payload  string `json:"payload"`
	Supplier string `json:"supplier"`
	// Variable to give it by; empty where the description names none.
	Variable string    `json:"variable,omitempty"`
	Range    hcl.Range `json:"-"`
}

// Diagnostic says what is missing, who has it, and how it is given.
func (m Missing) Diagnostic() *hcl.Diagnostic {
	how := "Give the block's \"source\" the file and \"sha256\" its sum."
	if m.Variable != "" {
		how = fmt.Sprintf("Pass the file with --var %s=FILE, and its SHA-256 in the variable beside it.", m.Variable)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Payload is not given",
		Detail:   fmt.Sprintf("Image %q is made from the payload %q, which ibforge does not have. %s %s", m.Image, m.Payload, strings.TrimSpace(m.Supplier), how),
		Subject:  &m.Range,
	}
}

// Key is the key of the finished image.
func (i Image) Key() string { return i.Steps[len(i.Steps)-1].Key }

// Step is one change to the image and, but for a config step, one layer of it.
type Step struct {
	Kind Kind `json:"kind"`
	// Key is the SHA-256, in hex, of the parent step's key, the format, the
	// options and the digests of all files that the step reads.
	Key string `json:"key"`
	// ParentKey is the key of the step before, across images; empty for the first.
	ParentKey string `json:"parent_key,omitempty"`
	// Summary is one line for people, such as "packages opensm infiniband-diags".
	Summary string `json:"summary"`
	// Op holds what to do; its type belongs to Kind.
	Op Op `json:"options"`
}

// Image finds a planned image by name.
func (p Plan) Image(name string) (Image, bool) {
	i := slices.IndexFunc(p.Images, func(i Image) bool { return i.Name == name })
	if i < 0 {
		return Image{}, false
	}
	return p.Images[i], true
}

// Only gives the part of the plan that the named images need: they and what
// they come from. A name that is not planned is an error.
func (p Plan) Only(names ...string) (Plan, error) {
	if len(names) == 0 {
		return p, nil
	}
	want := map[string]bool{}
	for _, name := range names {
		for {
			img, ok := p.Image(name)
			if !ok {
				return Plan{}, &UnknownImageError{Name: name, Known: p.names()}
			}
			want[name] = true
			if img.Parent == "" {
				break
			}
			name = img.Parent
		}
	}
	return Plan{Images: slices.DeleteFunc(slices.Clone(p.Images), func(i Image) bool { return !want[i.Name] })}, nil
}

func (p Plan) names() []string {
	out := make([]string, 0, len(p.Images))
	for _, i := range p.Images {
		out = append(out, i.Name)
	}
	return out
}

// UnknownImageError says that no description of that name exists.
type UnknownImageError struct {
	Name  string
	Known []string
}

func (e *UnknownImageError) Error() string {
	return fmt.Sprintf("no image block is named %q; described are %s", e.Name, strings.Join(e.Known, ", "))
}

// Make plans every image of the project. An error says which file of which
// rootfs could not be read.
func Make(p *spec.Project, opts Options) (Plan, error) {
	out := Plan{Images: []Image{}}
	made := map[string]inherited{}
	for _, img := range p.Images {
		b := builder{opts: opts}
		if img.Parent != nil {
			b.inherited = made[img.Parent.Name].clone()
		}
		planned, err := b.image(img)
		if err != nil {
			return Plan{}, fmt.Errorf("image %q (%s): %w", img.Name, img.Dir, err)
		}
		if parent, ok := out.Image(planned.Parent); ok {
			planned.Missing = append(slices.Clone(parent.Missing), planned.Missing...)
		}
		made[img.Name] = b.inherited
		out.Images = append(out.Images, planned)
	}
	return out, nil
}

// inherited is what an image hands to those that come from it.
type inherited struct {
	key   string
	prune []string
	omit  []string
	env   map[string]string
}

func (i inherited) clone() inherited {
	return inherited{i.key, slices.Clone(i.prune), slices.Clone(i.omit), maps.Clone(i.env)}
}

// builder collects the steps of one image.
type builder struct {
	inherited
	opts  Options
	steps []Step
}

func (b *builder) add(op Op) error {
	canonical, err := json.Marshal(struct {
		Format int    `json:"format"`
		Parent string `json:"parent"`
		Kind   Kind   `json:"kind"`
		Arch   string `json:"arch"`
		Epoch  int64  `json:"epoch"`
		Op     Op     `json:"options"`
	}{Format, b.key, op.kind(), b.opts.Arch, b.opts.Epoch, op})
	if err != nil {
		return fmt.Errorf("encoding the %s step: %w", op.kind(), err)
	}
	sum := sha256.Sum256(canonical)
	step := Step{Kind: op.kind(), Key: hex.EncodeToString(sum[:]), ParentKey: b.key, Summary: op.summary(), Op: op}
	b.key = step.Key
	b.steps = append(b.steps, step)
	return nil
}
