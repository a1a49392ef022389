package check

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ibforge/ibforge/builder/overlay"
)

// release finds out which release of Kayobe the repository is for: from
// openstack_release, .gitreview, or requirements.txt.
func (c *checker) release() {
	name, from := "", ""
	if s := c.setting("openstack_release"); s != nil && !jinja(s.value.Value) {
		name, from = s.value.Value, fmt.Sprintf("%s:%d", s.file, s.key.Line)
	}
	branch := regexp.MustCompile(`(?:stable|unmaintained|stackhpc)/(20\d\d\.\d)`)
	pin := regexp.MustCompile(`(?m)^kayobe\s*(?:==|~=)\s*(\d+)\.`)
	for _, file := range []string{".gitreview", "requirements.txt"} {
		if name != "" || c.o.Repository == nil {
			break
		}
		raw, err := fs.ReadFile(c.o.Repository, file)
		if err != nil {
			continue
		}
		if m := branch.FindSubmatch(raw); m != nil {
			name, from = string(m[1]), file
		} else if m := pin.FindSubmatch(raw); m != nil {
			name, from = c.byMajor(string(m[1])), file
		}
	}
	var known []string
	for _, r := range c.o.Source.Releases {
		known = append(known, r.Release)
	}
	switch {
	case name == "":
		c.notes = append(c.notes, "the release of Kayobe is unknown: neither openstack_release, nor .gitreview or requirements.txt of the repository tells it")
	case !slices.Contains(known, name):
		c.errorAt(nil, "Release that is not supported", "%s is for the release %s; supported are %s.", from, name, strings.Join(known, ", "))
	}
}

// byMajor is the release of a major version of Kayobe.
func (c *checker) byMajor(major string) string {
	for _, r := range c.o.Source.Releases {
		if fmt.Sprint(r.Kayobe) == major {
			return r.Release
		}
	}
	return "of Kayobe " + major
}

// installed looks at what install has left.
func (c *checker) installed() {
	found := false
	for _, layer := range c.layers {
		m, err := overlay.ReadManifest(c.o.FS, layer)
		if err != nil {
			c.errorAt(nil, "Broken manifest", "%v.", err)
			found = true
			continue
		}
		if m == nil {
			continue
		}
		found = true
		c.manifest(layer, m)
	}
	if !found {
		c.notes = append(c.notes, "nothing of ibforge is installed here; ibforge kayobe install brings it")
		return
	}
	c.collection()
}

func (c *checker) manifest(layer string, m *overlay.Manifest) {
	again := "Run ibforge kayobe install again."
	if layer != "." {
		again = "Run ibforge kayobe install --environment " + path.Base(layer) + " again."
	}
	if m.State != "" {
		c.errorAt(nil, "Install that was cut off", "%s says that somebody was %s here, and did not end. %s", path.Join(layer, overlay.Directory, "overlay.json"), m.State, again)
	}
	for _, p := range sortedKeys(m.Conflicts) {
		waits := path.Join(layer, overlay.Directory, "new", p)
		if _, err := fs.Stat(c.o.FS, waits); err == nil {
			c.errorAt(nil, "File that is not merged", "%s does not have what this release changed, which is in %s. Merge it by hand, delete that file, and run install again.", path.Join(layer, p), waits)
		}
	}
	if m.Ibforge != c.o.Version {
		c.warnAt(nil, "Overlay of another release", "The files%s are of ibforge %s, and this is %s. %s", where(layer), m.Ibforge, c.o.Version, again)
	}
	c.missingHooks(layer, m)
}

func where(layer string) string {
	if layer == "." {
		return ""
	}
	return " of " + layer
}

// collection compares the installed collection with this program's.
func (c *checker) collection() {
	version, there := overlay.CollectionVersion(c.o.FS)
	entry, listed := overlay.Required(c.o.FS)
	switch {
	case there && version != "" && version != c.o.Version:
		c.errorAt(nil, "Collection of another release", "%s is %s, and this is ibforge %s: the playbooks may name what the collection does not have. Run kayobe control host upgrade, or ibforge kayobe install --collection.", overlay.CollectionDir, version, c.o.Version)
	case !there && !listed:
		c.errorAt(nil, "Collection that is missing", "Neither is there %s, nor does ansible/requirements.yml name the collection. Run ibforge kayobe install, or the same with --collection.", overlay.CollectionDir)
	case !there:
		c.notes = append(c.notes, "the collection is not there yet; kayobe control host bootstrap fetches it")
	case listed && entry != "v"+c.o.Version:
		c.warnAt(nil, "Collection of another release", "ansible/requirements.yml has version %s, and this is ibforge %s.", entry, c.o.Version)
	}
}
