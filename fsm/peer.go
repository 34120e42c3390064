package fsm

import "fmt"

// CreateCluster is the first command of every log.
type CreateCluster struct {
	ID       string            `cbor:"1,keyasint"` // random, unique for ever
	Name     string            `cbor:"2,keyasint"`
	CA       []byte            `cbor:"3,keyasint"`           // trust bundle, PEM
	Sealed   map[string][]byte `cbor:"4,keyasint"`           // secrets of the cluster, sealed with the key file: "ca", "signing", "gossip"
	SignKeys [][]byte          `cbor:"5,keyasint"`           // Ed25519 public keys that sign updates, 32 bytes each
	Feature  uint64            `cbor:"6,keyasint,omitempty"` // the level to begin with; 0 is 1
}

// PutPeer registers a peer or changes what is known of it.
type PutPeer struct {
	Peer Peer `cbor:"1,keyasint"`
}

// RemovePeer takes a peer out; the name may be used again by another id.
type RemovePeer struct {
	ID string `cbor:"1,keyasint"`
}

// SetLiveness is the leader's word on which peers are alive; it decides who
// serves what. It carries the leader's term.
type SetLiveness struct {
	Alive []string `cbor:"1,keyasint"` // ids, sorted
}

// CreateJoinToken stores the hash of a join token.
type CreateJoinToken struct {
	Token JoinToken `cbor:"1,keyasint"`
}

// UseJoinToken consumes a join token: the second use is refused.
type UseJoinToken struct {
	ID   string `cbor:"1,keyasint"`
	Hash []byte `cbor:"2,keyasint"` // SHA-256 of the secret
	Peer string `cbor:"3,keyasint"` // id of the joining peer
}

// RaiseFeature raises the feature level of the cluster.
type RaiseFeature struct {
	Level uint64 `cbor:"1,keyasint"`
}

func (CreateCluster) Kind() Kind   { return 1 }
func (PutPeer) Kind() Kind         { return 2 }
func (RemovePeer) Kind() Kind      { return 3 }
func (SetLiveness) Kind() Kind     { return 4 }
func (CreateJoinToken) Kind() Kind { return 5 }
func (UseJoinToken) Kind() Kind    { return 6 }
func (RaiseFeature) Kind() Kind    { return 7 }

// Cluster is what all peers share. Sealed values open with the key file that
// every peer received when it joined.
type Cluster struct {
	ID       string            `cbor:"1,keyasint"`
	Name     string            `cbor:"2,keyasint"`
	Epoch    uint64            `cbor:"3,keyasint"`
	CA       []byte            `cbor:"4,keyasint"`
	Sealed   map[string][]byte `cbor:"5,keyasint"`
	SignKeys [][]byte          `cbor:"6,keyasint"`
	Feature  uint64            `cbor:"7,keyasint"`
}

// Peer is a controller as the state knows it.
type Peer struct {
	ID      string `cbor:"1,keyasint"` // UUID, equal to its Raft server id
	Name    string `cbor:"2,keyasint"`
	Address string `cbor:"3,keyasint"` // host:port of the peer port
	Gossip  string `cbor:"4,keyasint"` // host:port of memberlist
	URL     string `cbor:"5,keyasint"` // of its API, for agents, browsers and other peers
	Version string `cbor:"6,keyasint"`
	Feature uint64 `cbor:"7,keyasint"`
	Alive   bool   `cbor:"8,keyasint"`
}

// JoinToken is a single-use permission for a peer to join. Only the hash of
// its secret is kept.
type JoinToken struct {
	ID      string `cbor:"1,keyasint"`
	Hash    []byte `cbor:"2,keyasint"`
	Expires int64  `cbor:"3,keyasint"` // Unix time in milliseconds
	Used    string `cbor:"4,keyasint,omitempty"`
}

func (s *State) applyCreateCluster(c CreateCluster) error {
	if s.cluster != nil {
		return errorf(CodeConflict, "this log already belongs to cluster %q", s.cluster.Name)
	}
	s.cluster = &Cluster{ID: c.ID, Name: c.Name, Epoch: 1, CA: c.CA, Sealed: c.Sealed, SignKeys: c.SignKeys, Feature: max(1, c.Feature)}
	return nil
}

func (s *State) applyPutPeer(c PutPeer) error {
	for _, other := range s.peers {
		if other.Name == c.Peer.Name && other.ID != c.Peer.ID {
			return errorf(CodeConflict, "another peer is already called %q; choose another name", c.Peer.Name)
		}
	}
	p := c.Peer
	if old := s.peers[p.ID]; old != nil {
		p.Alive = old.Alive
	} else {
		p.Alive = true
	}
	s.peers[p.ID] = &p
	s.event(Event{Kind: EventPeer, Peer: p.Name})
	return nil
}

func (s *State) applyRemovePeer(c RemovePeer) error {
	p := s.peers[c.ID]
	if p == nil {
		return errorf(CodeNotFound, "no peer has the id %q", c.ID)
	}
	delete(s.peers, c.ID)
	s.disconnectPeer(c.ID)
	s.event(Event{Kind: EventPeer, Peer: p.Name})
	return nil
}

func (s *State) applySetLiveness(c SetLiveness) error {
	alive := make(map[string]bool, len(c.Alive))
	for _, id := range c.Alive {
		alive[id] = true
	}
	for _, id := range sortedKeys(s.peers) {
		p := s.peers[id]
		if p.Alive == alive[id] {
			continue
		}
		q := *p
		q.Alive = alive[id]
		s.peers[id] = &q
		if !q.Alive {
			s.disconnectPeer(id)
		}
		s.event(Event{Kind: EventPeer, Peer: q.Name})
	}
	return nil
}

func (s *State) applyCreateJoinToken(c CreateJoinToken) error {
	if s.joinTokens[c.Token.ID] != nil {
		return errorf(CodeConflict, "join token %q exists already", c.Token.ID)
	}
	t := c.Token
	s.joinTokens[t.ID] = &t
	return nil
}

func (s *State) applyUseJoinToken(c UseJoinToken) error {
	t := s.joinTokens[c.ID]
	switch {
	case t == nil || !sameHash(t.Hash, c.Hash):
		return errorf(CodeDenied, "the join token is not known; make a new one with `drover cluster token`")
	case t.Used != "" && t.Used != c.Peer:
		return errorf(CodeDenied, "the join token was used already; make a new one with `drover cluster token`")
	case t.Expires < s.now:
		return errorf(CodeDenied, "the join token has expired; make a new one with `drover cluster token`")
	}
	u := *t
	u.Used = c.Peer
	s.joinTokens[u.ID] = &u
	return nil
}

func (s *State) applyRaiseFeature(c RaiseFeature) error {
	if c.Level > FeatureLevel {
		return fmt.Errorf("%w: feature level %d is above this version's %d", ErrUnknownCommand, c.Level, FeatureLevel)
	}
	next := *s.cluster
	next.Feature = max(next.Feature, c.Level)
	s.cluster = &next
	return nil
}

// Cluster returns what all peers share, nil before the first command.
func (s *State) Cluster() *Cluster { return s.cluster }

// Peers returns all peers, sorted by name.
func (s *State) Peers() []*Peer {
	return sortedRows(s.peers, func(p *Peer) string { return p.Name })
}

// KnowsJoinToken tells whether a join token was made with this id and hash; it
// may be used or expired by now.
func (s *State) KnowsJoinToken(id string, hash []byte) bool {
	t := s.joinTokens[id]
	return t != nil && sameHash(t.Hash, hash)
}

// Peer returns the peer with this id, or nil.
func (s *State) Peer(id string) *Peer { return s.peers[id] }
