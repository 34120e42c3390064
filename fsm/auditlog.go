package fsm

import (
	"fmt"
	"iter"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// AuditLog is the entries of the audit that retention keeps. The latest are
// held as they are, the others packed: an entry takes some 70 bytes then and
// not 350, and there may be hundreds of thousands. A copy of an AuditLog never
// changes, and may be read outside of Store.View.
type AuditLog struct {
	packed []auditPack
	skip   int // entries of the first pack that retention has dropped
	latest []*AuditEntry
}

// auditPack is entries in a row, without the hashes of the ones before them.
type auditPack struct {
	before Sum // hash of the entry before the first
	data   []byte
	last   Sum // hash of the last
}

// packSize is the number of entries of a pack. As many stay unpacked at least.
const packSize = 256

// Len is the number of entries.
func (l AuditLog) Len() int { return len(l.packed)*packSize - l.skip + len(l.latest) }

// All yields the entries, oldest first.
func (l AuditLog) All() iter.Seq[*AuditEntry] {
	return func(yield func(*AuditEntry) bool) {
		for i, p := range l.packed {
			entries := p.open()
			if i == 0 {
				entries = entries[l.skip:]
			}
			for j := range entries {
				if !yield(&entries[j]) {
					return
				}
			}
		}
		for _, e := range l.latest {
			if !yield(e) {
				return
			}
		}
	}
}

// Backward yields the entries, newest first.
func (l AuditLog) Backward() iter.Seq[*AuditEntry] {
	return func(yield func(*AuditEntry) bool) {
		for _, e := range slices.Backward(l.latest) {
			if !yield(e) {
				return
			}
		}
		for i, p := range slices.Backward(l.packed) {
			entries := p.open()
			if i == 0 {
				entries = entries[l.skip:]
			}
			for j := range slices.Backward(entries) {
				if !yield(&entries[j]) {
					return
				}
			}
		}
	}
}

// last is the hash of the latest entry.
func (l *AuditLog) last() Sum {
	if n := len(l.latest); n > 0 {
		return l.latest[n-1].Hash
	}
	if n := len(l.packed); n > 0 {
		return l.packed[n-1].last
	}
	return Sum{}
}

// add appends an entry. It changes nothing that a copy of the log can see.
func (l *AuditLog) add(e *AuditEntry) {
	l.latest = append(l.latest, e)
	if len(l.latest) < 2*packSize || !chained(l.latest[:packSize]) {
		return
	}
	l.packed = append(l.packed, newAuditPack(l.latest[:packSize]))
	l.latest = slices.Clone(l.latest[packSize:])
}

// chained tells whether the hashes before entries can be left out. Where they
// cannot, somebody has altered the entries, and they stay for all to see.
func chained(entries []*AuditEntry) bool {
	for i := range entries[1:] {
		if entries[i+1].Previous != entries[i].Hash {
			return false
		}
	}
	return true
}

// keep drops the oldest entries above a number, and returns how many those were.
func (l *AuditLog) keep(most int) int {
	dropped := max(l.Len()-most, 0)
	left := dropped + l.skip
	whole := min(left/packSize, len(l.packed))
	l.packed, l.skip = slices.Clone(l.packed[whole:]), left-whole*packSize
	if len(l.packed) == 0 {
		l.latest, l.skip = slices.Clone(l.latest[l.skip:]), 0
	}
	return dropped
}

func (l AuditLog) clip() AuditLog {
	return AuditLog{slices.Clip(l.packed), l.skip, slices.Clip(l.latest)}
}

func newAuditPack(entries []*AuditEntry) auditPack {
	p := auditPack{before: entries[0].Previous, last: entries[len(entries)-1].Hash}
	bare := make([]AuditEntry, len(entries))
	for i, e := range entries {
		bare[i] = *e
		bare[i].Previous = Sum{}
	}
	data, err := cbor.Marshal(bare)
	if err != nil { // strings and integers always encode
		panic(err)
	}
	p.data = slices.Clone(encoder.EncodeAll(data, make([]byte, 0, len(data)/2)))
	return p
}

// open unpacks. It was packed by this process, so that it can be.
func (p auditPack) open() []AuditEntry {
	var entries []AuditEntry
	data, err := decoder.DecodeAll(p.data, nil)
	if err == nil {
		err = cbor.Unmarshal(data, &entries)
	}
	if err != nil || len(entries) != packSize {
		panic(fmt.Errorf("%d audit entries were packed and cannot be unpacked: %w", packSize, err))
	}
	previous := p.before
	for i := range entries {
		entries[i].Previous, previous = previous, entries[i].Hash
	}
	return entries
}
