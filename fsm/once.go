package fsm

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// onceRow remembers what a request with an Idempotency-Key did.
type onceRow struct {
	Hash    []byte  `cbor:"1,keyasint"`
	Index   uint64  `cbor:"2,keyasint"`
	Time    int64   `cbor:"3,keyasint"`
	Outcome Outcome `cbor:"4,keyasint"`
}

func onceKey(c Command) string { return c.Actor.Kind + ":" + c.Actor.Name + "\x00" + c.Once.Key }

// replay finds an earlier request of the same actor with the same key.
func (s *State) replay(c Command) (*onceRow, error) {
	if c.Once.Key == "" {
		return nil, nil
	}
	row := s.once[onceKey(c)]
	if row == nil || s.now-row.Time > s.settings.KeepKeys {
		return nil, nil
	}
	if !slices.Equal(row.Hash, c.Once.Hash) {
		return nil, errorf(CodeKeyMismatch, "the Idempotency-Key was used for another request; use a new key for a new request")
	}
	return row, nil
}

// Replay tells, before anything is proposed, what an earlier request with the
// same key did; nil where there was none.
func (s *State) Replay(c Command) (*Result, error) {
	row, err := s.replay(c)
	if row == nil || err != nil {
		return nil, err
	}
	out := row.Outcome
	out.Replayed = true
	return &Result{Index: row.Index, Outcome: out}, nil
}

func (s *State) keep(c Command, out Outcome) {
	if c.Once.Key != "" {
		s.once[onceKey(c)] = &onceRow{Hash: c.Once.Hash, Index: s.index, Time: s.now, Outcome: out}
	}
}

// requestLog holds the ids of the latest commands: a command that was
// forwarded twice is applied once. It keeps hashes, for ids are longer.
type requestLog struct {
	seen  map[requestKey]struct{}
	order []requestKey
	next  int
	// plain are the ids themselves, as long as a peer may have to read a snapshot
	// that knows nothing of hashes.
	plain map[requestKey]string
}

// featureRequests is the feature level from which on every peer reads hashes of
// request ids in snapshots.
const featureRequests = 2

// requestKey is the beginning of an id's SHA-256. Clients choose ids, so that a
// hash that is easily made equal to another would not do.
type requestKey [16]byte

// requestsKept is the number of request ids that are remembered: at 10,000
// commands a second, about as long as a forward may be repeated.
const requestsKept = 65536

// first tells whether the id is new, and remembers it.
func (l *requestLog) first(id string) bool { return l.add(keyOf(id)) }

func (l *requestLog) add(k requestKey) bool {
	if _, found := l.seen[k]; found {
		return false
	}
	l.seen[k] = struct{}{}
	if len(l.order) < requestsKept {
		l.order = append(l.order, k)
		return true
	}
	delete(l.seen, l.order[l.next])
	delete(l.plain, l.order[l.next])
	l.order[l.next] = k
	l.next = (l.next + 1) % requestsKept
	return true
}

// remember keeps an id of the log as it is.
func (l *requestLog) remember(id string) {
	if l.plain == nil {
		l.plain = map[requestKey]string{}
	}
	l.plain[keyOf(id)] = id
}

// inOrder lists the keys, oldest first.
func (l *requestLog) inOrder() []requestKey {
	return slices.Concat(l.order[l.next:], l.order[:l.next])
}

// keyMark begins a key in a snapshot. No id that a client may choose begins so;
// snapshots of earlier versions hold the ids themselves.
const keyMark = "~"

func keyOf(id string) requestKey {
	sum := sha256.Sum256([]byte(id))
	return requestKey(sum[:16])
}

// keyOfText reads an entry of a snapshot.
func keyOfText(text string) requestKey {
	if k, ok := markedKey(text); ok {
		return k
	}
	return keyOf(text)
}

func markedKey(text string) (k requestKey, ok bool) {
	coded, marked := strings.CutPrefix(text, keyMark)
	raw, err := base64.RawURLEncoding.DecodeString(coded)
	if !marked || err != nil || len(raw) != len(k) {
		return k, false
	}
	return requestKey(raw), true
}

// addText takes an entry of a snapshot.
func (l *requestLog) addText(text string) {
	if _, marked := markedKey(text); l.add(keyOfText(text)) && !marked {
		l.remember(text)
	}
}

// texts are the keys as a snapshot holds them, oldest first.
func (l *requestLog) texts() []string {
	out := make([]string, len(l.order))
	for i, k := range l.inOrder() {
		if id, known := l.plain[k]; known {
			out[i] = id
			continue
		}
		out[i] = keyMark + base64.RawURLEncoding.EncodeToString(k[:])
	}
	return out
}
