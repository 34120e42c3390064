package fsm

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"
)

// Snapshot is a state as it was at one index. Taking it copies the maps and
// none of the immutable rows, so that it is cheap; it is written off-lock.
type Snapshot struct {
	state     *State
	audiences []audienceRow
}

// snapshotFormat is the first item of the stream.
const snapshotFormat = "drover-snapshot-1"

// ErrSnapshot is returned for a stream that is no snapshot, or is damaged.
var ErrSnapshot = errors.New("snapshot cannot be read")

// Tables of the stream: every item is a table number and a row. Numbers are
// never reused.
const (
	tableHead        = 1
	tableCluster     = 2
	tablePeer        = 3
	tableJoinToken   = 4
	tableSettings    = 5
	tableUser        = 6
	tableLogin       = 7
	tableToken       = 8
	tableDocument    = 9
	tableBlob        = 10
	tablePartial     = 11
	tableRevision    = 12
	tableNode        = 13
	tableVersions    = 14
	tableRow         = 15
	tableAudience    = 16
	tableEnrollToken = 17
	tableMembers     = 18
	tablePush        = 19
	tableAudit       = 20
	tableOnce        = 21
	tableRequests    = 22
	tableEnd         = 23
	tableDiscovery   = 24
)

type headRow struct {
	Index    uint64   `cbor:"1,keyasint"`
	Now      int64    `cbor:"2,keyasint"`
	Hash     uint64   `cbor:"3,keyasint"`
	Pruned   uint64   `cbor:"4,keyasint"`
	AuditSeq uint64   `cbor:"5,keyasint"`
	Ordinals int      `cbor:"6,keyasint"`
	Running  []uint64 `cbor:"7,keyasint"`
}

type keyed[K, V any] struct {
	Key K `cbor:"1,keyasint"`
	Row V `cbor:"2,keyasint"`
}

type audienceRow struct {
	ID    Sum    `cbor:"1,keyasint"`
	Since uint64 `cbor:"2,keyasint"`
}

type pushRow struct {
	Revision     uint64   `cbor:"1,keyasint"`
	State        string   `cbor:"2,keyasint"`
	Targets      []int    `cbor:"3,keyasint"` // members tables, by their order
	Documents    []string `cbor:"4,keyasint"`
	Started      int64    `cbor:"5,keyasint"`
	Finished     int64    `cbor:"6,keyasint"`
	Frozen       Counts   `cbor:"7,keyasint"`
	SupersededBy uint64   `cbor:"8,keyasint,omitempty"`
}

type deliveryRow struct {
	Ordinal  uint32 `cbor:"1,keyasint"`
	Row      *Row   `cbor:"2,keyasint"`
	Accepted int    `cbor:"3,keyasint,omitempty"` // 1 + its place among the versions tables
}

// Snapshot takes the state as it is now.
func (t *Store) Snapshot() *Snapshot {
	t.mu.RLock()
	defer t.mu.RUnlock()
	s := *t.state
	s.moved = nil
	s.peers, s.joinTokens = maps.Clone(s.peers), maps.Clone(s.joinTokens)
	s.users, s.logins, s.tokens = maps.Clone(s.users), maps.Clone(s.logins), maps.Clone(s.tokens)
	s.documents, s.blobs, s.partial = maps.Clone(s.documents), maps.Clone(s.blobs), maps.Clone(s.partial)
	s.revisions, s.audit = slices.Clip(s.revisions), s.audit.clip()
	s.byOrdinal, s.rows = slices.Clone(s.byOrdinal), slices.Clone(s.rows)
	s.enrollTokens, s.pushes, s.once = maps.Clone(s.enrollTokens), maps.Clone(s.pushes), maps.Clone(s.once)
	s.running = slices.Clone(s.running)
	s.requests = requestLog{order: s.requests.inOrder(), plain: maps.Clone(s.requests.plain)}
	snap := &Snapshot{state: &s}
	for _, id := range slices.SortedFunc(maps.Keys(s.audiences), compareSums) {
		snap.audiences = append(snap.audiences, audienceRow{id, s.audiences[id].Since})
	}
	s.discoveries = maps.Clone(s.discoveries)
	s.audiences, s.byDocument, s.refusing, s.nodes, s.instances = nil, nil, nil, nil, nil
	return snap
}

// Index is the Raft index of the snapshot's last command.
func (n *Snapshot) Index() uint64 { return n.state.index }

// WriteTo writes the snapshot. It may be called from any goroutine.
func (n *Snapshot) WriteTo(w io.Writer) (int64, error) {
	count := &counter{w: w}
	z, err := zstd.NewWriter(count, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return 0, fmt.Errorf("write snapshot: %w", err)
	}
	// Maps in the order of their keys: one state has one snapshot.
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode()
	if err != nil {
		return 0, fmt.Errorf("write snapshot: %w", err)
	}
	out := &tableWriter{enc: mode.NewEncoder(z)}
	out.put(0, snapshotFormat)
	n.writeTables(out)
	out.put(tableEnd, out.items)
	err = errors.Join(out.err, z.Close())
	if err != nil {
		return count.n, fmt.Errorf("write snapshot: %w", err)
	}
	return count.n, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

type tableWriter struct {
	enc   *cbor.Encoder
	items int
	err   error
}

func (t *tableWriter) put(table int, row any) {
	if t.err != nil {
		return
	}
	if t.err = t.enc.Encode(table); t.err == nil {
		t.err = t.enc.Encode(row)
	}
	t.items++
}

func (n *Snapshot) writeTables(out *tableWriter) {
	s := n.state
	out.put(tableHead, headRow{s.index, s.now, s.hash, s.pruned, s.auditSeq, len(s.byOrdinal), s.running})
	if s.cluster != nil {
		out.put(tableCluster, s.cluster)
	}
	out.put(tableSettings, s.settings)
	putAll(out, tablePeer, s.peers)
	putAll(out, tableJoinToken, s.joinTokens)
	putAll(out, tableUser, s.users)
	putAll(out, tableLogin, s.logins)
	putAll(out, tableToken, s.tokens)
	putAll(out, tableDocument, s.documents)
	putAll(out, tableEnrollToken, s.enrollTokens)
	putAll(out, tableDiscovery, s.discoveries)
	for _, sum := range slices.SortedFunc(maps.Keys(s.blobs), compareSums) {
		out.put(tableBlob, keyed[Sum, *Blob]{sum, s.blobs[sum]})
	}
	for _, sum := range slices.SortedFunc(maps.Keys(s.partial), compareSums) {
		out.put(tablePartial, keyed[Sum, *partialBlob]{sum, s.partial[sum]})
	}
	for _, r := range s.revisions {
		out.put(tableRevision, r)
	}
	for _, a := range n.audiences {
		out.put(tableAudience, a)
	}
	n.writeFleet(out)
	n.writePushes(out)
	for e := range s.audit.All() {
		out.put(tableAudit, e)
	}
	for _, k := range sortedKeys(s.once) {
		out.put(tableOnce, keyed[string, *onceRow]{k, s.once[k]})
	}
	out.put(tableRequests, s.requests.texts())
}

func putAll[V any](out *tableWriter, table int, m map[string]V) {
	for _, k := range sortedKeys(m) {
		out.put(table, m[k])
	}
}

// writeFleet writes each shared list of versions once, before the first row
// that holds it.
func (n *Snapshot) writeFleet(out *tableWriter) {
	places := map[string]int{} // by content: how pointers are shared is no state
	known := map[*Versions]int{}
	for ord, node := range n.state.byOrdinal {
		if node == nil {
			continue
		}
		out.put(tableNode, node)
		row := n.state.rows[ord]
		place := 0
		if row.Accepted != nil {
			place = known[row.Accepted]
			if place == 0 {
				key := row.Accepted.key()
				if place = places[key]; place == 0 {
					place = len(places) + 1
					places[key] = place
					out.put(tableVersions, row.Accepted)
				}
				known[row.Accepted] = place
			}
		}
		out.put(tableRow, deliveryRow{uint32(ord), row, place})
	}
}

func (v *Versions) key() string { return fmt.Sprintf("%x %v", v.Sum, v.List) }

// writePushes writes each shared list of members once.
func (n *Snapshot) writePushes(out *tableWriter) {
	places, known := map[string]int{}, map[*uint32]int{} // a shared list never changes: its first member finds it
	for _, number := range slices.Sorted(maps.Keys(n.state.pushes)) {
		p := n.state.pushes[number]
		row := pushRow{
			Revision: p.Revision, State: p.State, Documents: p.Documents, Started: p.Started,
			Finished: p.Finished, Frozen: p.Frozen, SupersededBy: p.SupersededBy,
		}
		for _, part := range p.Targets.parts {
			place, found := known[&part[0]]
			if !found {
				packed := packOrdinals(part)
				if place, found = places[string(packed)]; !found {
					place = len(places)
					places[string(packed)] = place
					out.put(tableMembers, packed)
				}
				known[&part[0]] = place
			}
			row.Targets = append(row.Targets, place)
		}
		out.put(tablePush, row)
	}
}
