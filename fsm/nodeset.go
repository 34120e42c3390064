package fsm

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
)

// NodeSet is a fixed set of nodes, by ordinal: the targets of a push. It
// shares the member lists of audiences, which are copied when they change. No
// list is empty.
type NodeSet struct{ parts [][]uint32 }

// membersOf is the set of the members of audiences, which must differ.
func membersOf(audiences []*Audience) NodeSet {
	parts := make([][]uint32, 0, len(audiences))
	for _, a := range audiences {
		if len(a.members) > 0 {
			a.share()
			parts = append(parts, a.members)
		}
	}
	return NodeSet{parts}
}

// and is the union of two sets, as one sorted list.
func (n NodeSet) and(more NodeSet) NodeSet {
	parts := slices.Concat(n.parts, more.parts)
	if len(parts) < 2 {
		return NodeSet{parts}
	}
	all := slices.Concat(parts...)
	slices.Sort(all)
	return NodeSet{[][]uint32{slices.Compact(all)}}
}

// sharing returns the other set where it is made of the same lists: a thousand
// pushes to a thousand groups keep one table of them.
func (n NodeSet) sharing(other NodeSet) NodeSet {
	same := func(a, b []uint32) bool { return len(a) == len(b) && &a[0] == &b[0] }
	if slices.EqualFunc(n.parts, other.parts, same) {
		return other
	}
	return n
}

// All yields every ordinal once.
func (n NodeSet) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, p := range n.parts {
			for _, ord := range p {
				if !yield(ord) {
					return
				}
			}
		}
	}
}

// Len is the number of nodes.
func (n NodeSet) Len() int {
	total := 0
	for _, p := range n.parts {
		total += len(p)
	}
	return total
}

// Has tells whether a node is in the set.
func (n NodeSet) Has(ord uint32) bool {
	for _, p := range n.parts {
		if _, found := slices.BinarySearch(p, ord); found {
			return true
		}
	}
	return false
}

func compareSums(a, b Sum) int { return bytes.Compare(a[:], b[:]) }

// sumWord is the first word of a sum, for the rolling hash.
func sumWord(s Sum) uint64 { return binary.BigEndian.Uint64(s[:8]) }

// packOrdinals writes a sorted list as varint differences.
func packOrdinals(list []uint32) []byte {
	out := make([]byte, 0, len(list)+4)
	last := uint32(0)
	for _, ord := range list {
		out = binary.AppendUvarint(out, uint64(ord-last))
		last = ord
	}
	return out
}

func unpackOrdinals(packed []byte) []uint32 {
	var out []uint32
	last := uint64(0)
	for len(packed) > 0 {
		d, n := binary.Uvarint(packed)
		if n <= 0 {
			return out
		}
		last += d
		out = append(out, uint32(last))
		packed = packed[n:]
	}
	return out
}
