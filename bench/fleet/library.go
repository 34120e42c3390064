package fleet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// library is what this process knows of frames and of what nodes hold, so
// that each different frame is verified once.
type library struct {
	heard latest[heard]
	last  latest[update]

	mu      sync.Mutex
	recent  map[string]*update  // by frame
	states  map[string]*holding // by manifest
	applied map[string]content  // by base and patch
	signed  []signed
}

// signed is a header whose signature is still to be verified.
type signed struct{ header, signature string }

// content is a document of which everything is known.
type content struct {
	text   []byte
	sum    document.Checksum
	splice load.Splice // from the base that it was made of
	crc    uint32
}

// holding is what a node holds. It is never changed.
type holding struct {
	manifest string
	texts    map[string][]byte // by target
	sums     map[string]document.Checksum
}

func nothing() *holding {
	return &holding{manifest: document.ManifestSum(nil).String(), texts: map[string][]byte{}, sums: map[string]document.Checksum{}}
}

// update is a config_update that was verified.
type update struct {
	raw      []byte
	id       string
	epoch    uint64
	index    uint64
	revision uint64
	base, to *holding
	edits    []edit
	problem  *wire.Problem // it may not be applied
	ackHead  []byte        // the confirmation up to its number
	ackTail  []byte        // and from there
}

// edit is what an update does to one document. crc is that of the result.
type edit struct {
	target  string
	splice  load.Splice
	full    []byte
	removed bool
	crc     uint32
}

// Bounds of what is remembered: groups of nodes that hold different things get
// different frames at the same time, from three controllers.
const (
	keepRecent  = 16 << 10
	keepApplied = 256
)

// update verifies a frame, or finds that it was verified before. Signatures
// wait for checkSignatures: with a thousand groups they would take longer here
// than all that is measured, while each node of a real fleet verifies its own.
func (l *library) update(frame []byte) (*update, error) {
	if u := l.last.Load(); u != nil && bytes.Equal(u.raw, frame) {
		return u, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if u := l.recent[string(frame)]; u != nil {
		l.last.Store(u)
		return u, nil
	}
	u, err := l.verify(bytes.Clone(frame))
	if err != nil {
		return nil, err
	}
	if l.recent == nil || len(l.recent) >= keepRecent {
		l.recent = map[string]*update{}
	}
	l.recent[string(frame)] = u
	l.last.Store(u)
	return u, nil
}

// checkSignatures verifies the signatures of all frames that have come since
// it was called last, and counts those that none of the keys has made.
func (l *library) checkSignatures(keys []ed25519.PublicKey) (wrong int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.signed {
		if wire.Verify(keys, s.header, s.signature) != nil {
			wrong++
		}
	}
	l.signed = nil
	return wrong
}

func (l *library) verify(frame []byte) (*update, error) {
	m, err := wire.Decode(frame)
	if err != nil {
		return nil, err
	}
	in, ok := m.(wire.Update)
	if !ok {
		return nil, fmt.Errorf("%s is no update", m.Kind())
	}
	var h wire.Header
	if err := json.Unmarshal([]byte(in.Header), &h); err != nil {
		return nil, err
	}
	l.signed = append(l.signed, signed{in.Header, in.Signature})
	u := &update{raw: frame, id: in.Update, epoch: h.Epoch, index: h.Index, revision: h.Revision}
	u.ackHead = []byte(`{"type":"config_ack","seq":`)
	u.ackTail = []byte(`,"update":` + strconv.Quote(in.Update) + `,"manifest":"` + h.Manifest + `","ms":0,"confirmed":true}`)
	if l.states == nil {
		empty := nothing()
		l.states = map[string]*holding{empty.manifest: empty}
	}
	if u.base = l.states[h.Base]; u.base == nil {
		u.problem = &wire.Problem{Stage: wire.StageVerify, Code: wire.CodeBaseMismatch, Message: "no node of this process holds that", Retryable: true}
		return u, nil
	}
	next, edits, err := l.with(u.base, in.Documents)
	if err != nil {
		return nil, err
	}
	if next.manifest != h.Manifest {
		return nil, errors.New("the manifest does not come out")
	}
	if known := l.states[next.manifest]; known != nil {
		next = known
	}
	l.states[next.manifest] = next
	u.to, u.edits = next, edits
	return u, nil
}

// with applies the documents of an update.
func (l *library) with(h *holding, documents []wire.Document) (*holding, []edit, error) {
	next := &holding{texts: maps.Clone(h.texts), sums: maps.Clone(h.sums)}
	var edits []edit
	for _, d := range documents {
		if d.Removed {
			delete(next.texts, d.Target)
			delete(next.sums, d.Target)
			edits = append(edits, edit{target: d.Target, removed: true})
			continue
		}
		c, err := l.apply(h, d)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", d.Target, err)
		}
		e := edit{target: d.Target, splice: c.splice, crc: c.crc}
		if d.Patch == nil {
			e.full = c.text
		}
		next.texts[d.Target], next.sums[d.Target] = c.text, c.sum
		edits = append(edits, e)
	}
	entries := make([]document.Entry, 0, len(next.sums))
	for target, sum := range next.sums {
		entries = append(entries, document.Entry{Target: target, Checksum: sum})
	}
	next.manifest = document.ManifestSum(entries).String()
	return next, edits, nil
}

// apply makes one document with Drover's own code, once for all groups that
// are sent the same.
func (l *library) apply(h *holding, d wire.Document) (content, error) {
	key := d.Base + "\x00" + string(d.Patch) + string(d.Content)
	if known, found := l.applied[key]; found && d.Base == sumText(h, d) {
		return known, nil
	}
	c := content{text: d.Content}
	if d.Patch != nil {
		if d.Base != sumText(h, d) {
			return c, errors.New("the base is another one")
		}
		var err error
		if c.text, err = document.Apply(h.texts[d.Target], d.Patch, document.Limits{Bytes: 4 << 20, Depth: 32}); err != nil {
			return c, err
		}
		c.splice = load.Between(h.texts[d.Target], c.text)
	}
	var err error
	if c.sum, err = document.Sum(c.text); err != nil {
		return c, err
	}
	c.crc = load.CRC(c.text)
	if l.applied == nil || len(l.applied) >= keepApplied {
		l.applied = map[string]content{}
	}
	l.applied[key] = c
	return c, nil
}

// sumText is the checksum that a delta has to name as its base, "" where the
// full content is sent.
func sumText(h *holding, d wire.Document) string {
	if d.Patch == nil {
		return ""
	}
	return h.sums[d.Target].String()
}
