// Package check finds what gets lost in a Kayobe configuration without a word:
// variables that nobody reads, options of which another one wins, hooks that do
// not run, groups without hosts. It reads the configuration only. What Kayobe,
// Kolla-Ansible and oslo.config do with it is taken from their sources, which
// the rules name.
package check

import (
	"cmp"
	"io/fs"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/ibforge/ibforge/builder/overlay"
)

// Options say what is looked at.
type Options struct {
	// FS is the configuration, $KAYOBE_CONFIG_PATH.
	FS fs.FS
	// Repository is the repository around it; nil for none. It tells the release.
	Repository fs.FS
	// Environment of Kayobe; empty for none.
	Environment string
	// Rendered is what Kayobe or Kolla-Ansible made of kolla/config; nil for none.
	Rendered fs.FS
	// Collection are the files of the collection that this program has. The
	// roles' specifications among them tell which variables there are.
	Collection fs.FS
	Source     overlay.Source
	// Version of this program.
	Version string
}

// Result is what was found.
type Result struct {
	// Diags are in the order of files and lines. Those about no place in a file
	// come first.
	Diags hcl.Diagnostics
	// Files have the texts that Diags are about.
	Files map[string]*hcl.File
	// Notes are what could not be found out.
	Notes []string
}

// Run looks at all of it.
func Run(o Options) (Result, error) {
	c := &checker{o: o, files: map[string]*hcl.File{}}
	var err error
	if c.specs, err = readSpecs(o.Collection, o.Source); err != nil {
		return Result{}, err
	}
	if c.layers, err = layers(o.FS, o.Environment); err != nil {
		return Result{}, err
	}
	c.variables()
	c.hooks()
	inv := c.inventory()
	c.groups(inv)
	c.kollaConfig()
	c.copied()
	c.rendered()
	c.release()
	c.installed()
	slices.SortStableFunc(c.diags, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return cmp.Compare(placed(a), placed(b))
		}
		return cmp.Or(cmp.Compare(a.Subject.Filename, b.Subject.Filename), cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte))
	})
	return Result{Diags: c.diags, Files: c.files, Notes: c.notes}, nil
}

func placed(d *hcl.Diagnostic) int {
	if d.Subject == nil {
		return 0
	}
	return 1
}

// checker gathers what the rules find.
type checker struct {
	o      Options
	layers []string
	specs  specs
	// settings are the variables that Kayobe gives to Ansible, the later before
	// the earlier.
	settings []setting
	// config are the files below kolla/config that oslo.config reads, by path
	// relative to it.
	config map[string][]iniFile

	files map[string]*hcl.File
	diags hcl.Diagnostics
	notes []string
}
