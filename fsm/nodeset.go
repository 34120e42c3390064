package fsm

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
)

// NodeSet is a fixed set of nodes, by ordinal: the targets of a push. It
// shares the member lists of audiences, which are copied when they change.
type NodeSet struct{ parts [][]uint32 }

// with adds a sorted list. Lists that overlap (a node moved from one audience
// to another by the same command) are merged by flat.
func (n NodeSet) with(members []uint32) NodeSet {
	if len(members) == 0 {
		return n
	}
	for _, p := range n.parts {
		if len(p) == len(members) && &p[0] == &members[0] {
			return n
		}
	}
	return NodeSet{append(n.parts[:len(n.parts):len(n.parts)], members)}
}

// flat merges the parts into one sorted list without duplicates, unless there
// is just one.
func (n NodeSet) flat() NodeSet {
	if len(n.parts) < 2 {
		return n
	}
	all := slices.Concat(n.parts...)
	slices.Sort(all)
	return NodeSet{[][]uint32{slices.Compact(all)}}
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
