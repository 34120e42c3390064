package fleet

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
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

	mu     sync.Mutex
	recent []*update
	states map[string]*holding // by manifest
}

// holding is what a node holds. It is never changed.
type holding struct {
	manifest string
	texts    map[string][]byte // by target
	sums     map[string]document.Checksum
}

func nothing() *holding {
	return &holding{manifest: document.ManifestSum(nil).String()}
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

// keepRecent bounds the frames that are remembered: groups of nodes that hold
// different things get different frames at the same time.
const keepRecent = 64

// update verifies a frame, or finds that it was verified before.
func (l *library) update(keys []ed25519.PublicKey, frame []byte) (*update, error) {
	if u := l.last.Load(); u != nil && bytes.Equal(u.raw, frame) {
		return u, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.recent {
		if bytes.Equal(u.raw, frame) {
			l.last.Store(u)
			return u, nil
		}
	}
	u, err := l.verify(keys, bytes.Clone(frame))
	if err != nil {
		return nil, err
	}
	if len(l.recent) >= keepRecent {
		l.recent = l.recent[1:]
	}
	l.recent = append(l.recent, u)
	l.last.Store(u)
	return u, nil
}

func (l *library) verify(keys []ed25519.PublicKey, frame []byte) (*update, error) {
	m, err := wire.Decode(frame)
	if err != nil {
		return nil, err
	}
	in, ok := m.(wire.Update)
	if !ok {
		return nil, fmt.Errorf("%s is no update", m.Kind())
	}
	h, err := wire.OpenHeader(keys, in.Header, in.Signature)
	if err != nil {
		return nil, err
	}
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
	next, edits, err := u.base.with(in.Documents)
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

// with applies the documents of an update with Drover's own code.
func (h *holding) with(documents []wire.Document) (*holding, []edit, error) {
	next := &holding{texts: map[string][]byte{}, sums: map[string]document.Checksum{}}
	for target, text := range h.texts {
		next.texts[target], next.sums[target] = text, h.sums[target]
	}
	var edits []edit
	for _, d := range documents {
		e := edit{target: d.Target, removed: d.Removed}
		old := h.texts[d.Target]
		switch {
		case d.Removed:
			delete(next.texts, d.Target)
			delete(next.sums, d.Target)
			edits = append(edits, e)
			continue
		case d.Patch != nil:
			if sum := h.sums[d.Target]; sum.String() != d.Base {
				return nil, nil, fmt.Errorf("%s: the base is another one", d.Target)
			}
			text, err := document.Apply(old, d.Patch, document.Limits{Bytes: 4 << 20, Depth: 32})
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", d.Target, err)
			}
			next.texts[d.Target], e.splice = text, load.Between(old, text)
		default:
			e.full = d.Content
			next.texts[d.Target] = e.full
		}
		sum, err := document.Sum(next.texts[d.Target])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", d.Target, err)
		}
		next.sums[d.Target], e.crc = sum, load.CRC(next.texts[d.Target])
		edits = append(edits, e)
	}
	entries := make([]document.Entry, 0, len(next.sums))
	for target, sum := range next.sums {
		entries = append(entries, document.Entry{Target: target, Checksum: sum})
	}
	next.manifest = document.ManifestSum(entries).String()
	return next, edits, nil
}
