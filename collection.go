// Package ibforge is the Ansible collection ibforge.fabric as data, which lies
// at the root of the repository: what ansible-galaxy would build from it.
package ibforge

import "embed"

// Collection returns the files of the collection. It holds all that its
// galaxy.yml does not exclude, and is laid out as the repository is.
func Collection() embed.FS { return collection }

// Without "all:", so that caches such as __pycache__ stay out; the collection
// has no file of its own that starts with a dot or an underscore.
//
//go:embed galaxy.yml README.md CHANGELOG.md LICENSE meta playbooks plugins roles
var collection embed.FS
