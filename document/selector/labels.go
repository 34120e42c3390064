package selector

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverhq/drover/document"
)

// ValidLabels checks the labels of a node by the rules of Kubernetes.
//
// A key is a name of 1 to 63 letters, digits, '-', '_' and '.', beginning and
// ending with a letter or digit; it may have a prefix, a DNS name of at most 253
// characters in lower case, and a slash. A value is empty or like the name.
//
// The error is a *document.Error for the first bad label in the order of keys;
// its Pointer is the label's key as a JSON pointer.
func ValidLabels(labels map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		problem, what, quoted := keyProblem(key), "key", key
		if problem == "" {
			problem, what, quoted = valueProblem(labels[key]), "value", labels[key]
		}
		if problem != "" {
			return &document.Error{
				Code:    CodeBadLabel,
				Pointer: "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key),
				Message: fmt.Sprintf("the %s %q of a label %s", what, clip(quoted), problem),
			}
		}
	}
	return nil
}

const (
	maxName   = 63
	maxPrefix = 253
)

// keyProblem says what is wrong with the key of a label; "" is nothing.
func keyProblem(key string) string {
	prefix, name, hasPrefix := strings.Cut(key, "/")
	if !hasPrefix {
		name = key
	} else if problem := prefixProblem(prefix); problem != "" {
		return problem
	}
	if name == "" {
		return "has no name"
	}
	return nameProblem(name)
}

func valueProblem(value string) string {
	if value == "" {
		return ""
	}
	return nameProblem(value)
}

func nameProblem(name string) string {
	if len(name) > maxName {
		return fmt.Sprintf("is longer than %d characters", maxName)
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return "may consist of letters, digits, '-', '_' and '.' only"
		}
	}
	if !isAlphanumeric(name[0]) || !isAlphanumeric(name[len(name)-1]) {
		return "must begin and end with a letter or a digit"
	}
	return ""
}

func prefixProblem(prefix string) string {
	if len(prefix) > maxPrefix {
		return fmt.Sprintf("has a prefix longer than %d characters", maxPrefix)
	}
	for part := range strings.SplitSeq(prefix, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' {
			return "has a prefix that is not a DNS name"
		}
		for i := 0; i < len(part); i++ {
			if c := part[i]; !isAlphanumeric(c) && c != '-' || c >= 'A' && c <= 'Z' {
				return "has a prefix that is not a DNS name in lower case"
			}
		}
	}
	return ""
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
