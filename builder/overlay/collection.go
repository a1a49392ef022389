package overlay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CollectionDir is where Kayobe has Ansible look for the collection.
const CollectionDir = "ansible/collections/ansible_collections/ibforge/fabric"

// marker tells in the collection's directory what was written there.
const marker = ".ibforge.json"

// Collection is the Ansible collection as the program has it.
type Collection struct {
	// Version of galaxy.yml, which is ibforge's too.
	Version string
	files   Tree
}

// ReadCollection takes from the repository's files what ansible-galaxy would
// put into the collection: all but what build_ignore of galaxy.yml names.
func ReadCollection(fsys fs.FS) (Collection, error) {
	var galaxy struct {
		Version     string   `yaml:"version"`
		BuildIgnore []string `yaml:"build_ignore"`
	}
	raw, err := fs.ReadFile(fsys, "galaxy.yml")
	if err == nil {
		err = yaml.Unmarshal(raw, &galaxy)
	}
	if err != nil {
		return Collection{}, fmt.Errorf("galaxy.yml: %w", err)
	}
	c := Collection{Version: galaxy.Version, files: Tree{}}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && slices.ContainsFunc(galaxy.BuildIgnore, func(pattern string) bool { return ignored(pattern, name) }):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		raw, err := fs.ReadFile(fsys, name)
		c.files[name] = File(string(raw))
		return err
	})
	return c, err
}

// ignored is Python's fnmatch, with which ansible-galaxy compares: a star
// matches slashes too.
func ignored(pattern, name string) bool {
	expr := regexp.QuoteMeta(pattern)
	expr = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(expr)
	ok, err := regexp.MatchString("^(?s:"+expr+")$", name)
	return ok && err == nil
}

// content is the marker's, which has all that is written beside it.
type content struct {
	Version string            `json:"version"`
	Files   map[string]string `json:"files"`
}

func (c Collection) marker() (string, error) {
	m := content{Version: c.Version, Files: map[string]string{}}
	for name, n := range c.files {
		m.Files[name] = n.Digest
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return "", fmt.Errorf("the collection's marker: %w", err)
	}
	return string(raw) + "\n", nil
}

// collectionState is what lies in the collection's directory.
type collectionState struct {
	present bool
	// marker is the text of the marker; empty where the directory is not ours.
	marker string
	// Version of the marker or of the collection's own files.
	version string
	// edited names files that are not as they were written.
	edited []string
	// other says what is there that was not written here.
	other string
}

func readCollectionState(d Disk) (collectionState, error) {
	var s collectionState
	info, err := d.Lstat(CollectionDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, fmt.Errorf("%w%s", err, escapeCure(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return collectionState{present: true, other: "is a symbolic link"}, nil
	}
	s.present = true
	raw, err := d.ReadFile(path.Join(CollectionDir, marker))
	if err != nil {
		s.other = "was not written by ibforge"
		s.version = installedVersion(d)
		return s, nil //nolint:nilerr // a directory without our marker is somebody else's
	}
	var m content
	if err := json.Unmarshal(raw, &m); err != nil {
		s.other = "has a broken " + marker
		return s, nil //nolint:nilerr // the same as without one
	}
	s.marker, s.version = string(raw), m.Version
	s.edited, err = edited(d, m)
	return s, err
}

// edited compares the directory with its marker. Python's caches do not count.
func edited(d Disk, m content) ([]string, error) {
	left := maps.Clone(m.Files)
	var out []string
	sub, err := fs.Sub(d.FS(), CollectionDir)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(sub, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "__pycache__":
			return fs.SkipDir
		case e.IsDir(), name == marker:
			return nil
		}
		raw, err := fs.ReadFile(sub, name)
		if err != nil || digest(string(raw)) != left[name] {
			out = append(out, name)
		}
		delete(left, name)
		return nil
	})
	return slices.Sorted(slices.Values(slices.AppendSeq(out, maps.Keys(left)))), err
}

// installedVersion is that of MANIFEST.json, which ansible-galaxy writes, or of
// galaxy.yml; empty where neither tells.
func installedVersion(d reader) string {
	var manifest struct {
		Info struct {
			Version string `json:"version"`
		} `json:"collection_info"`
	}
	if raw, err := d.ReadFile(path.Join(CollectionDir, "MANIFEST.json")); err == nil && json.Unmarshal(raw, &manifest) == nil {
		return manifest.Info.Version
	}
	var galaxy struct {
		Version string `yaml:"version"`
	}
	if raw, err := d.ReadFile(path.Join(CollectionDir, "galaxy.yml")); err == nil && yaml.Unmarshal(raw, &galaxy) == nil {
		return galaxy.Version
	}
	return ""
}

// write replaces the directory as a whole.
func (c Collection) write(d Disk) error {
	fresh, old := path.Join(scratch, "collection"), path.Join(scratch, "before")
	mark, err := c.marker()
	if err != nil {
		return err
	}
	files := maps.Clone(c.files)
	files[marker] = File(mark)
	made := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		to := path.Join(fresh, name)
		if dir := path.Dir(to); !made[dir] {
			made[dir] = true
			if err := mkdirs(d, to); err != nil {
				return err
			}
		}
		if err := d.WriteFile(to, []byte(files[name].Text), 0o644); err != nil {
			return err
		}
	}
	if err := mkdirs(d, CollectionDir); err != nil {
		return err
	}
	if err := d.Rename(CollectionDir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.Rename(fresh, CollectionDir)
}

// collectionChange decides about the directory, which is written or taken away
// as a whole.
func (c Collection) change(d Disk, have, want bool) (Change, error) {
	out := Change{Path: CollectionDir, Action: Same}
	if !have && !want {
		return out, nil
	}
	s, err := readCollectionState(d)
	if err != nil {
		return out, err
	}
	mark, err := c.marker()
	if err != nil {
		return out, err
	}
	const cure = "move the directory away, or leave --collection out"
	switch {
	case !want && (!s.present || s.other != ""):
		return out, nil
	case !want && len(s.edited) > 0:
		out.Action = Leave
	case !want:
		out.Action = Remove
	case !s.present:
		out.Action = Create
	case s.other != "":
		return out, fmt.Errorf("%s %s; %s", CollectionDir, s.other, cure)
	case len(s.edited) > 0:
		return out, fmt.Errorf("%s was edited (%s), and is replaced as a whole; take the edits out, or %s", CollectionDir, some(s.edited), cure)
	case s.marker != mark:
		out.Action = Update
	}
	return out, nil
}
