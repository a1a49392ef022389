package overlay

import (
	"errors"
	"io/fs"
	"path"
)

// reader is the part of a [Disk] that reads.
type reader interface {
	ReadFile(name string) ([]byte, error)
}

// only reads from a file system.
type only struct{ fs.FS }

// ReadFile reads a file.
func (o only) ReadFile(name string) ([]byte, error) { return fs.ReadFile(o.FS, name) }

// ReadManifest reads the manifest of a layer, "." or environments/NAME; nil
// where there is none.
func ReadManifest(fsys fs.FS, layer string) (*Manifest, error) {
	return readManifest(only{fsys}, layer)
}

// Texts are all files that are shipped, by their paths in the package kayobe.
func (s Source) Texts() map[string]string {
	out := map[string]string{}
	for p, n := range s.common {
		out[path.Join("files", p)] = n.Text
	}
	for name, tree := range s.features {
		for p, n := range tree {
			out[path.Join("features", name, p)] = n.Text
		}
	}
	return out
}

// CollectionVersion is the version of the installed collection, empty where it
// does not tell, and whether there is one.
func CollectionVersion(fsys fs.FS) (version string, there bool) {
	// Most often a link that leads out of the configuration is one to a
	// checkout, and counts.
	if _, err := fs.Stat(fsys, CollectionDir); errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	return installedVersion(only{fsys}), true
}

// Required is the version that ansible/requirements.yml asks for, and whether
// the collection is in there.
func Required(fsys fs.FS) (version string, listed bool) {
	raw, err := fs.ReadFile(fsys, requirementsName)
	if err != nil {
		return "", false
	}
	items, err := collections(string(raw))
	if err != nil {
		return "", false
	}
	for _, item := range items {
		if isOurs(item) {
			return versionOf(item), true
		}
	}
	return "", false
}
