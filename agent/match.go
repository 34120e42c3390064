package agent

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
)

// matches tells whether a target fits a glob: in a segment *, ? and [...] as
// in path.Match, and ** for any number of segments, none included.
func matches(glob, target string) bool {
	return matchSegments(strings.Split(glob, "/"), strings.Split(target, "/"))
}

func matchSegments(glob, target []string) bool {
	for len(glob) > 0 {
		if glob[0] == "**" {
			for skip := 0; skip <= len(target); skip++ {
				if matchSegments(glob[1:], target[skip:]) {
					return true
				}
			}
			return false
		}
		if len(target) == 0 {
			return false
		}
		if ok, err := path.Match(glob[0], target[0]); err != nil || !ok {
			return false
		}
		glob, target = glob[1:], target[1:]
	}
	return len(target) == 0
}

func checkGlob(glob string) error {
	stars := 0
	for segment := range strings.SplitSeq(glob, "/") {
		if segment == "" {
			return errors.New("has an empty segment")
		}
		if segment == "**" {
			stars++
		} else if strings.Contains(segment, "**") {
			return errors.New(`has "**" within a segment: it stands for whole segments`)
		}
		if _, err := path.Match(segment, ""); err != nil {
			return errors.New("is not a glob: a bracket is not closed, or a backslash stands last")
		}
	}
	if stars > 2 {
		return errors.New(`has "**" more than twice`)
	}
	return nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
