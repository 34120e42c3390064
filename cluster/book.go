package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/transport"
	"github.com/droverhq/drover/fsm"
)

// book knows the addresses of peers: from the state, else from Raft's
// configuration, else from the file that joining left. It is Raft's
// ServerAddressProvider, so that an address may change.
type book struct {
	home  home
	self  string
	store *fsm.Store
	file  []contact // as it was at the start
	raft  atomic.Pointer[raft.Raft]
}

func newBook(h home, self string, store *fsm.Store) (*book, error) {
	file, err := h.contacts()
	if err != nil {
		return nil, err
	}
	return &book{home: h, self: self, store: store, file: file}, nil
}

// contacts are all other peers that this one knows of; the state wins over the
// file.
func (b *book) contacts() []contact {
	list := contactsOf(b.store)
	for _, c := range b.file {
		if !slices.ContainsFunc(list, func(k contact) bool { return k.ID == c.ID }) {
			list = append(list, c)
		}
	}
	return slices.DeleteFunc(list, func(c contact) bool { return c.ID == b.self })
}

func (b *book) address(peer string) (string, error) {
	var row *fsm.Peer
	b.store.View(func(s *fsm.State) { row = s.Peer(peer) })
	if row != nil && row.Address != "" {
		return row.Address, nil
	}
	if r := b.raft.Load(); r != nil {
		for _, s := range r.GetConfiguration().Configuration().Servers {
			if string(s.ID) == peer && s.Address != "" {
				return string(s.Address), nil
			}
		}
	}
	for _, c := range b.file {
		if c.ID == peer {
			return c.Address, nil
		}
	}
	return "", fmt.Errorf("the address of peer %s is not known", peer)
}

// ServerAddr implements raft.ServerAddressProvider.
func (b *book) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	address, err := b.address(string(id))
	if err != nil {
		return "", err
	}
	return transport.Target(string(id), address), nil
}

// contactsInterval is how often the file of contacts may be written.
const contactsInterval = time.Second

// keepContacts keeps the file of contacts in step with the state: a peer whose
// log is lost finds the others by it.
func (r *running) keepContacts(ctx context.Context) error {
	written := r.book.file
	for {
		moved := r.core.store.Watch().Changed()
		now := contactsOf(r.core.store)
		now = slices.DeleteFunc(now, func(c contact) bool { return c.ID == r.id.Peer })
		if len(now) > 0 && !slices.Equal(now, written) {
			if err := r.home.writeJSON(fileContacts, now); err != nil {
				r.log.Warn("the addresses of the peers could not be written", "err", err)
			}
			written = now
		}
		if err := pause(ctx, contactsInterval); err != nil {
			return nil //nolint:nilerr // the end of ctx is no failure
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil
		}
	}
}

var errNobody = errors.New("no other peer could be reached")
