package archtest

import (
	"bytes"
	"fmt"
	"regexp"
)

// personal matches an absolute path below a folder that belongs to one person, one machine or one
// run. A path behind a host name, a dot or a variable is another thing.
var personal = regexp.MustCompile(`(^|[^\w.~})-])/(home|Users|root|tmp|private|work|workspace|mnt)/[\w.-]`)

// machinePaths finds what would only be true on the machine it was written on.
func machinePaths(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		for i, line := range bytes.Split(f.text, []byte("\n")) {
			if at := personal.FindIndex(line); at != nil {
				found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("line %d names a path of one machine: %.60s", i+1, bytes.TrimSpace(line[at[0]:]))})
			}
		}
	}
	return found
}
