package fsm

import (
	"cmp"
	"slices"

	"github.com/droverhq/drover/document/selector"
)

// Document is a named JSON object with a target, a selector, an optional
// schema and a policy.
type Document struct {
	Name     string     `cbor:"1,keyasint"`
	Target   string     `cbor:"2,keyasint"`
	Selector string     `cbor:"3,keyasint,omitempty"`
	Schema   string     `cbor:"4,keyasint,omitempty"` // JSON Schema 2020-12, or ""
	Policy   string     `cbor:"5,keyasint,omitempty"` // JSON object, or ""
	Deleted  bool       `cbor:"6,keyasint,omitempty"`
	Revision uint64     `cbor:"7,keyasint"` // that touched it last
	Versions []*Version `cbor:"8,keyasint"` // ascending; the last one is current
	match    selector.Selector
}

// Version is an immutable content of a document.
type Version struct {
	Number   uint64 `cbor:"1,keyasint"`
	Revision uint64 `cbor:"2,keyasint"`
	Time     int64  `cbor:"3,keyasint"`
	Author   string `cbor:"4,keyasint"`
	Message  string `cbor:"5,keyasint,omitempty"`
	Blob     Sum    `cbor:"6,keyasint"` // SHA-256 of the text
	Checksum Sum    `cbor:"7,keyasint"` // SHA-256 of the canonical bytes
	Size     int    `cbor:"8,keyasint"` // of the text, in bytes
}

// Current is the newest version.
func (d *Document) Current() *Version { return d.Versions[len(d.Versions)-1] }

// Version returns a version by its number, or nil where there is none or
// retention dropped it.
func (d *Document) Version(number uint64) *Version {
	i, found := slices.BinarySearchFunc(d.Versions, number, func(v *Version, n uint64) int { return cmp.Compare(v.Number, n) })
	if !found {
		return nil
	}
	return d.Versions[i]
}

// Document returns a document by its name, deleted ones included, or nil.
func (s *State) Document(name string) *Document { return s.documents[name] }

// Documents returns all documents, deleted ones included, sorted by name.
func (s *State) Documents() []*Document {
	return sortedRows(s.documents, func(d *Document) string { return d.Name })
}

// Reach is the number of nodes that a document is bound to.
func (s *State) Reach(name string) int {
	n := 0
	for id := range s.byDocument[name] {
		n += len(s.audiences[id].members)
	}
	return n
}

// Revision is one entry of the version log.
type Revision struct {
	Number  uint64         `cbor:"1,keyasint"`
	Index   uint64         `cbor:"2,keyasint"`
	Time    int64          `cbor:"3,keyasint"`
	Author  string         `cbor:"4,keyasint"`
	Message string         `cbor:"5,keyasint,omitempty"`
	Edits   []RevisionEdit `cbor:"6,keyasint"`
}

// RevisionEdit is what a revision did to one document: From equals To where
// only target, selector, schema or policy changed.
type RevisionEdit struct {
	Document string `cbor:"1,keyasint"`
	Op       string `cbor:"2,keyasint"` // put, delete
	From     uint64 `cbor:"3,keyasint,omitempty"`
	To       uint64 `cbor:"4,keyasint,omitempty"`
}

// LastRevision is the number of the newest revision, 0 when there is none.
func (s *State) LastRevision() uint64 { return s.pruned + uint64(len(s.revisions)) }

// Revision returns a revision, or nil where there is none or retention dropped it.
func (s *State) Revision(number uint64) *Revision {
	if number <= s.pruned || number > s.LastRevision() {
		return nil
	}
	return s.revisions[number-s.pruned-1]
}
