package spec

import (
	"maps"
	"slices"
	"strings"
)

// reportCycles reports each circle of from once, at its first member by name.
func (l *loader) reportCycles(byName map[string]*imageBlock) {
	done := map[string]bool{}
	for _, start := range slices.Sorted(maps.Keys(byName)) {
		var path []string
		name := start
		for byName[name] != nil && byName[name].parent.ok && !done[name] {
			done[name] = true
			path = append(path, name)
			name = byName[name].parent.value
		}
		i := slices.Index(path, name)
		if i < 0 {
			continue
		}
		cycle := path[i:]
		// Begin with the first by name, wherever the walk came in.
		first := slices.Index(cycle, slices.Min(cycle))
		cycle = append(slices.Concat(cycle[first:], cycle[:first]), cycle[first])
		at := byName[cycle[0]].parent.rng
		l.errorAt(&at, "Cycle of images", "Image %q comes from itself: %s. One of them must start from a bootstrap block or a reference.", cycle[0], strings.Join(cycle, " -> "))
	}
}

// order puts parents before children and is otherwise by name. There must be
// no cycle.
func order(byName map[string]*imageBlock) []*Image {
	names := slices.Sorted(maps.Keys(byName))
	placed := map[string]bool{}
	var out []*Image
	for len(out) < len(names) {
		i := slices.IndexFunc(names, func(name string) bool {
			parent := byName[name].image.Parent
			return !placed[name] && (parent == nil || placed[parent.Name])
		})
		if i < 0 {
			return out
		}
		placed[names[i]] = true
		out = append(out, byName[names[i]].image)
	}
	return out
}
