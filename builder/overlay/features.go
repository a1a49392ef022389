package overlay

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ibforge/ibforge/builder/suggest"
)

// choose adds features to those that are there and takes others away. Needed
// ones come along.
func (s Source) choose(have, with, without []string) ([]string, error) {
	var faults []error
	chosen := map[string]bool{}
	for _, name := range slices.Concat(with, without) {
		if _, ok := s.Features[name]; !ok {
			faults = append(faults, fmt.Errorf("there is no feature %q; there are %s.%s", name, s.listed(), suggest.DidYouMean(name, slices.Collect(maps.Keys(s.Features)))))
		}
	}
	// A feature of an older release that is no more goes.
	todo := slices.DeleteFunc(slices.Concat(have, with), func(name string) bool {
		_, ok := s.Features[name]
		return !ok || slices.Contains(without, name)
	})
	for ; len(todo) > 0; todo = todo[1:] {
		for _, need := range s.Features[todo[0]].Needs {
			if slices.Contains(without, need) {
				faults = append(faults, fmt.Errorf("feature %q needs %q; take both away, or none", todo[0], need))
			}
			if !chosen[need] {
				todo = append(todo, need)
			}
		}
		chosen[todo[0]] = true
	}
	for _, name := range with {
		if slices.Contains(without, name) {
			faults = append(faults, fmt.Errorf("feature %q is both added and taken away; leave one out", name))
		}
	}
	return slices.Sorted(maps.Keys(chosen)), errors.Join(faults...)
}

func (s Source) listed() string {
	return strings.Join(slices.Sorted(maps.Keys(s.Features)), ", ")
}

// some are the first of many.
func some(names []string) string {
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}
