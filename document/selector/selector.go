package selector

import (
	"slices"
	"strings"
)

// Selector is a parsed label selector. The zero value matches everything.
type Selector struct {
	requirements []requirement // sorted by key
}

type operator byte

const (
	opExists operator = iota
	opAbsent
	opEquals
	opNotEquals
	opIn
	opNotIn
)

type requirement struct {
	key    string
	op     operator
	values []string // sorted, without repeats; one for opEquals and opNotEquals
}

// Empty tells whether the selector matches every node whatever its labels.
func (s Selector) Empty() bool { return len(s.requirements) == 0 }

// Matches tells whether a node with these labels is selected.
func (s Selector) Matches(labels map[string]string) bool {
	for i := range s.requirements {
		if !s.requirements[i].matches(labels) {
			return false
		}
	}
	return true
}

func (r *requirement) matches(labels map[string]string) bool {
	value, present := labels[r.key]
	switch r.op {
	case opExists:
		return present
	case opAbsent:
		return !present
	case opEquals, opIn:
		return present && r.has(value)
	default:
		return !present || !r.has(value)
	}
}

func (r *requirement) has(value string) bool {
	if len(r.values) == 1 {
		return r.values[0] == value
	}
	_, found := slices.BinarySearch(r.values, value)
	return found
}

// String writes the selector in one spelling: requirements sorted by key, "="
// for "==", values sorted. Parse reads it back to the same selector.
func (s Selector) String() string {
	var b strings.Builder
	for i, r := range s.requirements {
		if i > 0 {
			b.WriteByte(',')
		}
		r.appendTo(&b)
	}
	return b.String()
}

func (r *requirement) appendTo(b *strings.Builder) {
	if r.op == opAbsent {
		b.WriteByte('!')
	}
	b.WriteString(r.key)
	switch r.op {
	case opEquals:
		b.WriteString("=" + r.values[0])
	case opNotEquals:
		b.WriteString("!=" + r.values[0])
	case opIn:
		b.WriteString(" in (" + r.list() + ")")
	case opNotIn:
		b.WriteString(" notin (" + r.list() + ")")
	}
}

func (r *requirement) list() string {
	if len(r.values) == 1 && r.values[0] == "" {
		return "," // () would be no value at all
	}
	return strings.Join(r.values, ",")
}

func compareRequirements(a, b requirement) int {
	if c := strings.Compare(a.key, b.key); c != 0 {
		return c
	}
	if c := int(a.op) - int(b.op); c != 0 {
		return c
	}
	return slices.Compare(a.values, b.values)
}
