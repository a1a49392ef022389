// Package kayobe is the overlay for a Kayobe configuration as data: what
// `ibforge kayobe install` copies, and the tables that say what to link where.
package kayobe

import "embed"

// Files returns the overlay:
//
//	files/             mirrors $KAYOBE_CONFIG_PATH, and goes to every site
//	features/FEATURE/  the same, for the sites that choose the feature
//	features.yml       what each feature is for
//	hooks.yml          which playbook Kayobe runs before or after which command
//	releases.yml       Kayobe's releases that are supported
func Files() embed.FS { return files }

// "all:" because .gitkeep and the like belong to the tree that is mirrored.
//
//go:embed hooks.yml features.yml releases.yml all:files all:features
var files embed.FS
