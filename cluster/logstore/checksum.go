package logstore

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/hashicorp/raft"
)

const sumSize = 8

// seal returns a copy of the entry with its checksum before the extensions. The
// data, which may be large, is not copied.
func seal(l *raft.Log) *raft.Log {
	c := *l
	c.Extensions = binary.BigEndian.AppendUint64(make([]byte, 0, sumSize+len(l.Extensions)), checksum(l))
	c.Extensions = append(c.Extensions, l.Extensions...)
	return &c
}

// unseal verifies the checksum of an entry and takes it off.
func unseal(l *raft.Log) error {
	if len(l.Extensions) < sumSize {
		return fmt.Errorf("%w: entry %d has no checksum", ErrDamaged, l.Index)
	}
	want := binary.BigEndian.Uint64(l.Extensions)
	if l.Extensions = l.Extensions[sumSize:]; len(l.Extensions) == 0 {
		l.Extensions = nil
	}
	if checksum(l) != want {
		return fmt.Errorf("%w: entry %d does not match its checksum", ErrDamaged, l.Index)
	}
	return nil
}

// checksum covers all that Raft acts on; AppendedAt is for metrics only.
func checksum(l *raft.Log) uint64 {
	var head [33]byte
	binary.BigEndian.PutUint64(head[0:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	binary.BigEndian.PutUint64(head[17:], uint64(len(l.Data)))
	binary.BigEndian.PutUint64(head[25:], uint64(len(l.Extensions)))
	d := xxhash.New()
	_, _ = d.Write(head[:])
	_, _ = d.Write(l.Data)
	_, _ = d.Write(l.Extensions)
	return d.Sum64()
}
