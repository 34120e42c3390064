package fsm

import (
	"maps"
	"slices"
)

// Settings are replicated limits and retention. Times are in milliseconds.
type Settings struct {
	KeepVersions  int   `cbor:"1,keyasint"` // of each document, beside those in use
	KeepRevisions int   `cbor:"2,keyasint"`
	KeepPushes    int   `cbor:"3,keyasint"`
	KeepAudit     int   `cbor:"4,keyasint"`
	KeepKeys      int64 `cbor:"5,keyasint"` // idempotency keys
	PushDeadline  int64 `cbor:"6,keyasint"` // until offline targets end a push
	DocumentBytes int   `cbor:"7,keyasint"`
	NodeBytes     int   `cbor:"8,keyasint"`
	Depth         int   `cbor:"9,keyasint"`
	Attempts      int   `cbor:"10,keyasint"` // until a dead letter
}

const (
	hour = int64(3600_000)
	// orphanAge is how long a content waits for the change that uses it.
	orphanAge = hour
)

// DefaultSettings are those of a new cluster.
func DefaultSettings() *Settings {
	return &Settings{
		KeepVersions: 10_000, KeepRevisions: 100_000, KeepPushes: 1_000, KeepAudit: 200_000,
		KeepKeys: 24 * hour, PushDeadline: 24 * hour,
		DocumentBytes: 1 << 20, NodeBytes: 16 << 20, Depth: 32, Attempts: 8,
	}
}

// PutSettings replaces the settings.
type PutSettings struct {
	Settings Settings `cbor:"1,keyasint"`
}

// Prune applies retention. The leader proposes it; its time is the clock.
type Prune struct{}

// Kind is the persisted number of the command.
func (PutSettings) Kind() Kind { return 8 }

// Kind is the persisted number of the command.
func (Prune) Kind() Kind { return 9 }

// Settings returns the settings of the cluster.
func (s *State) Settings() Settings { return *s.settings }

func (s *State) applyPutSettings(c PutSettings) error {
	n := c.Settings
	if n.KeepVersions < 1 || n.KeepRevisions < 1 || n.KeepPushes < 1 || n.KeepAudit < 1 || n.KeepKeys < 1 ||
		n.PushDeadline < 1 || n.DocumentBytes < 1 || n.NodeBytes < n.DocumentBytes || n.Depth < 1 || n.Attempts < 1 {
		return errorf(CodeInvalid, "every setting must be positive, and a node must be able to hold a document")
	}
	s.settings = &n
	return nil
}

// applyPrune drops what retention does not keep. What a node holds, or may
// fall back to, is always kept.
func (s *State) applyPrune() (Outcome, error) {
	dropped := s.pruneVersions()
	if dropped > 0 {
		s.fallAnew()
	}
	if n := len(s.revisions) - s.settings.KeepRevisions; n > 0 {
		s.revisions = slices.Clone(s.revisions[n:])
		s.pruned += uint64(n)
		dropped += n
	}
	dropped += s.audit.keep(s.settings.KeepAudit)
	dropped += s.prunePushes() + s.pruneExpired()
	s.mix(uint64(dropped))
	return Outcome{Count: dropped, Unchanged: dropped == 0}, nil
}

func (s *State) pruneVersions() (dropped int) {
	var held map[DocVersion]struct{}
	for _, name := range sortedKeys(s.documents) {
		d := s.documents[name]
		if len(d.Versions) <= s.settings.KeepVersions {
			continue
		}
		if held == nil {
			held = s.heldVersions()
		}
		keep := make([]*Version, 0, s.settings.KeepVersions)
		for i, v := range d.Versions {
			if _, used := held[DocVersion{Document: name, Version: v.Number}]; used || i >= len(d.Versions)-s.settings.KeepVersions {
				keep = append(keep, v)
				continue
			}
			s.releaseBlob(v.Blob)
			dropped++
		}
		next := *d
		next.Versions = keep
		s.documents[name] = &next
	}
	return dropped
}

// fallAnew computes the fall-backs from the history that is left, as a peer does
// that restores a snapshot of it.
func (s *State) fallAnew() {
	for _, ord := range slices.Sorted(maps.Keys(s.refusing)) {
		before := s.Wanted(ord).Sum
		row := *s.rows[ord]
		s.putRow(ord, &row)
		s.noteWanted(ord, before)
		s.eventNode(ord)
	}
}

func (s *State) heldVersions() map[DocVersion]struct{} {
	held, seen := map[DocVersion]struct{}{}, map[*Versions]struct{}{}
	for _, row := range s.rows {
		if row == nil || row.Accepted == nil {
			continue
		}
		if _, done := seen[row.Accepted]; done {
			continue
		}
		seen[row.Accepted] = struct{}{}
		for _, dv := range row.Accepted.List {
			held[DocVersion{Document: dv.Document, Version: dv.Version}] = struct{}{}
		}
	}
	return held
}

func (s *State) prunePushes() (dropped int) {
	over := len(s.pushes) - s.settings.KeepPushes
	for _, number := range slices.Sorted(maps.Keys(s.pushes)) {
		if over <= 0 {
			break
		}
		if s.pushes[number].State != PushRunning {
			delete(s.pushes, number)
			dropped++
			over--
		}
	}
	return dropped
}

func (s *State) pruneExpired() (dropped int) {
	dropped += drop(s.once, func(r *onceRow) bool { return s.now-r.Time > s.settings.KeepKeys })
	dropped += drop(s.logins, func(l *Login) bool { return l.Expires < s.now })
	dropped += drop(s.tokens, func(t *Token) bool { return t.Expires != 0 && t.Expires < s.now })
	dropped += drop(s.joinTokens, func(t *JoinToken) bool { return t.Expires < s.now-24*hour })
	dropped += drop(s.enrollTokens, func(t *EnrollToken) bool { return t.Expires < s.now-24*hour })
	dropped += drop(s.blobs, func(b *Blob) bool { return b.refs == 0 && s.now-b.Born > orphanAge })
	dropped += drop(s.partial, func(p *partialBlob) bool { return s.now-p.Born > orphanAge })
	return dropped
}

func drop[K comparable, V any](m map[K]V, gone func(V) bool) int {
	n := 0
	for k, v := range m {
		if gone(v) {
			delete(m, k)
			n++
		}
	}
	return n
}
