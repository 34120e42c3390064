package document

import (
	"fmt"
	"strings"
)

const (
	maxNameBytes    = 200
	maxNameSegments = 8
)

// ValidName checks the name of a document, or a target: 1 to 8 segments joined
// by "/", each [a-z0-9][a-z0-9._-]* and none ending in ".json" (a node keeps
// the target as the path of a file that ends so), 200 bytes at most.
func ValidName(name string) error {
	bad := func(format string, args ...any) error {
		return &Error{CodeBadName, "", fmt.Sprintf("the name %q ", clip(name, 80)) + fmt.Sprintf(format, args...)}
	}
	if name == "" {
		return &Error{CodeBadName, "", "a name is empty"}
	}
	if len(name) > maxNameBytes {
		return bad("has %d bytes, %d are allowed", len(name), maxNameBytes)
	}
	segments := strings.Split(name, "/")
	if len(segments) > maxNameSegments {
		return bad("has %d segments, %d are allowed", len(segments), maxNameSegments)
	}
	for _, segment := range segments {
		if segment == "" {
			return bad(`has an empty segment: "/" stands between segments, neither first, last nor doubled`)
		}
		for i := 0; i < len(segment); i++ {
			c := segment[i]
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && (c == '.' || c == '_' || c == '-') {
				continue
			}
			if i == 0 {
				return bad("has the segment %q, which does not begin with a-z or 0-9", segment)
			}
			return bad("has the segment %q with a character other than a-z, 0-9, '.', '_' and '-'", segment)
		}
		if strings.HasSuffix(segment, ".json") {
			return bad(`has the segment %q: none may end in ".json"`, segment)
		}
	}
	return nil
}
