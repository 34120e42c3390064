package fsm

import (
	"bufio"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/droverhq/drover/document/selector"
)

// Restore reads a snapshot, swaps the state for it, and then wakes who waits.
// A stream that cannot be read leaves the state as it was.
func (t *Store) Restore(r io.Reader) error {
	s, err := readSnapshot(r)
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.state = s
	t.feed = newFeed()
	t.feed.start = s.Position()
	t.mu.Unlock()
	t.moved.Set(s.index)
	return nil
}

func readSnapshot(r io.Reader) (*State, error) {
	z, err := zstd.NewReader(bufio.NewReaderSize(r, 1<<16), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	defer z.Close()
	mode, err := cbor.DecOptions{MaxArrayElements: 1 << 24, MaxMapPairs: 1 << 24}.DecMode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	in := &tableReader{dec: mode.NewDecoder(z), state: newState(), audiences: map[Sum]uint64{}}
	for !in.done {
		if err := in.item(); err != nil {
			return nil, fmt.Errorf("%w: item %d: %w", ErrSnapshot, in.items, err)
		}
	}
	if err := in.derive(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return in.state, nil
}

type tableReader struct {
	dec       *cbor.Decoder
	state     *State
	items     int
	done      bool
	versions  []*Versions
	members   [][]uint32
	audiences map[Sum]uint64
}

func (t *tableReader) item() error {
	var table int
	if err := t.dec.Decode(&table); err != nil {
		return err
	}
	if t.items == 0 {
		var format string
		if err := t.dec.Decode(&format); err != nil || table != 0 || format != snapshotFormat {
			return fmt.Errorf("it does not begin as a snapshot does (%q, %w)", format, err)
		}
		t.items++
		return nil
	}
	t.items++
	switch {
	case table <= tableToken || table == tableEnrollToken || table == tableDiscovery:
		return t.membershipItem(table)
	case table <= tableRevision:
		return t.catalogItem(table)
	case table <= tableAudience:
		return t.fleetItem(table)
	}
	return t.historyItem(table)
}

// row decodes the next row and hands it on.
func row[R any](t *tableReader, take func(R)) error {
	var r R
	if err := t.dec.Decode(&r); err != nil {
		return err
	}
	take(r)
	return nil
}

func (t *tableReader) membershipItem(table int) error {
	s := t.state
	switch table {
	case tableHead:
		return row(t, func(h headRow) {
			s.index, s.now, s.hash, s.pruned, s.auditSeq = h.Index, h.Now, h.Hash, h.Pruned, h.AuditSeq
			s.byOrdinal, s.rows, s.running = make([]*Node, h.Ordinals), make([]*Row, h.Ordinals), h.Running
		})
	case tableCluster:
		return row(t, func(c *Cluster) { s.cluster = c })
	case tableSettings:
		return row(t, func(c *Settings) { s.settings = c })
	case tablePeer:
		return row(t, func(p *Peer) { s.peers[p.ID] = p })
	case tableJoinToken:
		return row(t, func(j *JoinToken) { s.joinTokens[j.ID] = j })
	case tableUser:
		return row(t, func(u *User) { s.users[u.Name] = u })
	case tableLogin:
		return row(t, func(l *Login) { s.logins[l.ID] = l })
	case tableToken:
		return row(t, func(k *Token) { s.tokens[k.ID] = k })
	case tableDiscovery:
		return row(t, func(d *Discovery) { s.discoveries[d.ID] = d })
	case tableEnrollToken:
		return row(t, func(k *EnrollToken) { s.enrollTokens[k.ID] = k })
	}
	return fmt.Errorf("table %d is unknown", table)
}

func (t *tableReader) catalogItem(table int) error {
	s := t.state
	switch table {
	case tableDocument:
		return row(t, func(d *Document) { s.documents[d.Name] = d })
	case tableBlob:
		return row(t, func(k keyed[Sum, *Blob]) { s.blobs[k.Key] = k.Row })
	case tablePartial:
		return row(t, func(k keyed[Sum, *partialBlob]) { s.partial[k.Key] = k.Row })
	case tableRevision:
		return row(t, func(r *Revision) { s.revisions = append(s.revisions, r) })
	}
	return fmt.Errorf("table %d is unknown", table)
}

func (t *tableReader) fleetItem(table int) error {
	s := t.state
	switch table {
	case tableNode:
		var n *Node
		if err := t.dec.Decode(&n); err != nil {
			return err
		}
		if int(n.Ordinal) >= len(s.byOrdinal) {
			return fmt.Errorf("node %q has ordinal %d of %d", n.ID, n.Ordinal, len(s.byOrdinal))
		}
		s.share.node(n)
		s.putNode(n)
		return nil
	case tableVersions:
		return row(t, func(v *Versions) { t.versions = append(t.versions, v) })
	case tableRow:
		var r deliveryRow
		if err := t.dec.Decode(&r); err != nil {
			return err
		}
		if int(r.Ordinal) >= len(s.rows) || r.Accepted > len(t.versions) {
			return fmt.Errorf("row %d is out of range", r.Ordinal)
		}
		if r.Accepted > 0 {
			r.Row.Accepted = t.versions[r.Accepted-1]
		}
		s.share.row(r.Row)
		s.rows[r.Ordinal] = r.Row
		return nil
	case tableAudience:
		return row(t, func(a audienceRow) { t.audiences[a.ID] = a.Since })
	}
	return fmt.Errorf("table %d is unknown", table)
}

func (t *tableReader) historyItem(table int) error {
	s := t.state
	switch table {
	case tableMembers:
		return row(t, func(packed []byte) { t.members = append(t.members, unpackOrdinals(packed)) })
	case tablePush:
		return row(t, func(p pushRow) {
			next := &Push{
				Revision: p.Revision, State: p.State, Documents: p.Documents, Started: p.Started,
				Finished: p.Finished, Frozen: p.Frozen, SupersededBy: p.SupersededBy,
			}
			for _, place := range p.Targets {
				if place < len(t.members) && len(t.members[place]) > 0 {
					next.Targets.parts = append(next.Targets.parts, t.members[place])
				}
			}
			s.pushes[p.Revision] = next
		})
	case tableAudit:
		return row(t, func(e *AuditEntry) { s.audit.add(e) })
	case tableOnce:
		return row(t, func(k keyed[string, *onceRow]) { s.once[k.Key] = k.Row })
	case tableRequests:
		return row(t, func(ids []string) {
			for _, id := range ids {
				s.requests.addText(id)
			}
		})
	case tableEnd:
		t.done = true
		return row(t, func(int) {})
	}
	return fmt.Errorf("table %d is unknown", table)
}

// derive builds what is not stored because it follows from the rows.
func (t *tableReader) derive() error {
	s := t.state
	for _, d := range s.documents {
		match, err := selector.Parse(d.Selector)
		if err != nil {
			return fmt.Errorf("document %q: %w", d.Name, err)
		}
		d.match = match
		for _, v := range d.Versions {
			if s.blobs[v.Blob] == nil {
				return fmt.Errorf("document %q: the content of version %d is missing", d.Name, v.Number)
			}
			s.useBlob(v.Blob)
		}
	}
	for ord, n := range s.byOrdinal {
		if n == nil {
			continue
		}
		if s.rows[ord] == nil {
			return fmt.Errorf("node %q has no row", n.ID)
		}
		bindings, err := s.bind(n)
		if err != nil {
			return err
		}
		s.placeNode(n, audienceID(bindings), bindings)
		if n.Instance != nil {
			s.instances = append(s.instances, n.Ordinal)
		}
	}
	for id, since := range t.audiences {
		if a := s.audiences[id]; a != nil {
			a.Since = since
		}
	}
	for ord, r := range s.rows {
		if r != nil {
			s.putRow(uint32(ord), r)
		}
	}
	return nil
}
