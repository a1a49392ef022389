package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// Directory of the records, in each layer.
const Directory = ".ibforge"

// manifestVersion is that of the format that is written.
const manifestVersion = 1

// States of a manifest while somebody writes; a killed run leaves one behind.
const (
	installing = "installing"
	removing   = "removing"
)

// Manifest tells what a layer has of ours.
type Manifest struct {
	Version int `json:"version"`
	// Ibforge is the release that wrote it.
	Ibforge string `json:"ibforge"`
	// State is empty when all that the manifest tells was done.
	State string `json:"state,omitempty"`
	// Site tells that the layer has the files of a site. At the root they are
	// absent where only environments have them.
	Site bool `json:"site"`
	// Collection tells that the collection was written out of the program.
	Collection bool     `json:"collection,omitempty"`
	Features   []string `json:"features,omitempty"`
	// Files have the digests of what was shipped last; copies are in base/.
	Files map[string]string `json:"files"`
	// Links have the targets.
	Links map[string]string `json:"links,omitempty"`
	// Conflicts have the digests of what lies in new/ to be merged by hand.
	Conflicts map[string]string `json:"conflicts,omitempty"`
	// Directories were made by us.
	Directories []string `json:"directories,omitempty"`
	// Requirements is what was added to ansible/requirements.yml.
	Requirements *Insertion `json:"requirements,omitempty"`
	// Writing is what a run was about to write, as long as it has not ended.
	Writing map[string]Written `json:"writing,omitempty"`
	// WritingRequirements is the same for Requirements.
	WritingRequirements *Insertion `json:"writing_requirements,omitempty"`
}

// Written tells of a file or link that is about to be written, by digests. It is
// needed after a kill, because merging twice is not always the same as once, and
// because of a file that is not there nobody knows whether it was deleted.
type Written struct {
	Shipped string `json:"shipped"`
	Result  string `json:"result"`
}

func manifestName(layer string) string { return path.Join(layer, Directory, "overlay.json") }

// readManifest is nil where there is none.
func readManifest(d reader, layer string) (*Manifest, error) {
	name := manifestName(layer)
	raw, err := d.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, escapeCure(err))
	}
	var version struct {
		Version int    `json:"version"`
		Ibforge string `json:"ibforge"`
	}
	const cure = "take the file from version control"
	if err := json.Unmarshal(raw, &version); err != nil {
		return nil, fmt.Errorf("%s is broken: %w; %s", name, err, cure)
	}
	if version.Version > manifestVersion {
		return nil, fmt.Errorf("%s has format %d, written by ibforge %s, and this program knows %d; use that release or a newer one",
			name, version.Version, version.Ibforge, manifestVersion)
	}
	m := &Manifest{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%s is broken: %w; %s", name, err, cure)
	}
	if m.Version < 1 {
		return nil, fmt.Errorf("%s is broken: it has no version; %s", name, cure)
	}
	for _, p := range m.paths() {
		if !fs.ValidPath(p) || p == "." {
			return nil, fmt.Errorf("%s is broken: the path %q is none within the configuration; %s", name, p, cure)
		}
	}
	return m, nil
}

func (m Manifest) paths() []string {
	out := slices.Clone(m.Directories)
	for _, paths := range []map[string]string{m.Files, m.Links, m.Conflicts} {
		out = slices.AppendSeq(out, maps.Keys(paths))
	}
	return slices.AppendSeq(out, maps.Keys(m.Writing))
}

func (m Manifest) encode() (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return "", fmt.Errorf("writing the manifest: %w", err)
	}
	return b.String(), nil
}
