package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/ibforge/ibforge/builder/engine"
)

// imagesFileName is where build tells Ansible about images.
const imagesFileName = "ibforge-images.yml"

const imagesFileHeader = `# Written by ibforge build and ibforge push; read by the ibforge.fabric roles.
# Pass it to Ansible with -e @ibforge-images.yml. It holds no secret.
`

// imagesFile is the content of ibforge-images.yml.
type imagesFile struct {
	Images map[string]imageEntry `yaml:"ibforge_images"`
	// Portmap is the agent that hosts need for ports that are moved below a
	// service; nil while no image has such a port.
	Portmap *companionEntry `yaml:"ibforge_portmap,omitempty"`
}

// companionEntry is a program of the machine that built.
type companionEntry struct {
	// Path is absolute.
	Path   string `yaml:"path"`
	SHA256 string `yaml:"sha256"`
}

// imageEntry is one image, as the roles expect it.
type imageEntry struct {
	Reference string `yaml:"reference"`
	ID        string `yaml:"id"`
	Digest    string `yaml:"digest"`
	// Pushed is the reference by digest in a registry; push writes it.
	Pushed string `yaml:"pushed,omitempty"`
	// Archive is the absolute path of a docker-archive; push writes it.
	Archive  string         `yaml:"archive,omitempty"`
	Contract map[string]any `yaml:"contract"`
}

// path resolves a name against the project directory.
func (g *globals) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(g.dir, name)
}

func readImagesFile(name string) (imagesFile, error) {
	out := imagesFile{Images: map[string]imageEntry{}}
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&out); err != nil {
		return out, fmt.Errorf("%s is not as ibforge writes it: %w; move it away and build again, or name another one with --images-file", name, plainYAML(err))
	}
	if out.Images == nil { // "ibforge_images:" without a value
		out.Images = map[string]imageEntry{}
	}
	return out, nil
}

// plainYAML takes Go's types out of the first of yaml's complaints.
func plainYAML(err error) error {
	var fault *yaml.TypeError
	if !errors.As(err, &fault) || len(fault.Errors) == 0 {
		return err
	}
	text, _, _ := strings.Cut(fault.Errors[0], " in type ")
	text, _, _ = strings.Cut(text, " into ")
	return errors.New(text)
}

// updateImagesFile adds what was made and keeps what else is there. Where an
// image is a new one, what is known of copies of the old one is dropped.
func updateImagesFile(name string, made []engine.Image, agent *companionEntry) error {
	file, err := readImagesFile(name)
	if err != nil {
		return err
	}
	for _, m := range made {
		if m.Contract == nil {
			continue
		}
		raw, err := json.Marshal(m.Contract)
		if err != nil {
			return fmt.Errorf("the contract of image %s: %w", m.Name, err)
		}
		entry := imageEntry{Reference: m.Reference, ID: m.ID, Digest: m.Digest}
		if err := json.Unmarshal(raw, &entry.Contract); err != nil {
			return fmt.Errorf("the contract of image %s: %w", m.Name, err)
		}
		if old := file.Images[m.Name]; old.ID == m.ID {
			entry.Pushed, entry.Archive = old.Pushed, old.Archive
		}
		file.Images[m.Name] = entry
	}
	if agent != nil {
		file.Portmap = agent
	}
	return writeImagesFile(name, file)
}

// writeImagesFile replaces the file by rename: a reader sees the old or the new.
func writeImagesFile(name string, file imagesFile) error {
	var buf bytes.Buffer
	buf.WriteString(imagesFileHeader)
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(file), enc.Close()); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(buf.Bytes())
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
