package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"github.com/droverhq/drover/cluster/ca"
	"github.com/droverhq/drover/cluster/logstore"
	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/cluster/transport"
	"github.com/droverhq/drover/fsm"
)

// replacement asks that a new id takes the place of the caller's: its log is
// lost, and an id is never used again on an empty one.
type replacement struct {
	Peer fsm.Peer `cbor:"1,keyasint"`
	CSR  []byte   `cbor:"2,keyasint"`
}

// handleReplace takes the caller out, as a removal does, and lets its new id in.
// It is refused where the others alone would have no healthy majority.
func (c *core) handleReplace(ctx context.Context, from string, req replacement) (joinAnswer, error) {
	if !c.leads() {
		return joinAnswer{}, c.notLeader()
	}
	old := c.row(from)
	if old == nil {
		return joinAnswer{}, &rpc.Error{Code: codeRemoved, Message: "this peer is not a member of the cluster"}
	}
	if err := checkRow(req.Peer); err != nil {
		return joinAnswer{}, err
	}
	if req.Peer.Name != old.Name || c.row(req.Peer.ID) != nil || c.isMember(req.Peer.ID) {
		return joinAnswer{}, errors.New("the replacement must have the same name and a new id")
	}
	err := c.exclusively(ctx, func() error {
		if err := c.takeOut(ctx, peerActor(from), from); err != nil {
			return err
		}
		_, err := c.propose(ctx, fsm.Command{Actor: peerActor(from), Body: fsm.PutPeer{Peer: req.Peer}})
		return coded(err)
	})
	if err != nil {
		return joinAnswer{}, err
	}
	c.log.Warn("a peer lost its log and joins anew", "old", from, "new", req.Peer.ID, "name", old.Name)
	return c.papers(req.Peer.ID, req.CSR)
}

// rejoin gives this peer a new identity with an empty log, and asks the cluster
// to let it take the place of the old one. The damaged log stays where it is,
// below the old id, until the new one is in place.
func (n *Node) rejoin(ctx context.Context) error {
	h := home(n.cfg.DataDir)
	old, err := h.identity()
	if err != nil {
		return err
	}
	known, err := h.contacts()
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return errors.New("there is no other peer to get the state from")
	}
	private, err := ca.NewKey()
	if err != nil {
		return err
	}
	csr, err := ca.NewRequest(private)
	if err != nil {
		return err
	}
	keyPEM, err := ca.EncodeKey(private)
	if err != nil {
		return err
	}
	id := old
	id.Peer = uuid.NewString()
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	a, err := n.askReplace(ctx, h, old, known, replacement{Peer: n.cfg.row(id.Peer), CSR: csr})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.peerPath(id.Peer), 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	logs, err := logstore.Create(h.peerPath(id.Peer, fileLog), id.Peer)
	if err != nil {
		return err
	}
	if err := logs.Close(); err != nil {
		return fmt.Errorf("close the new raft log: %w", err)
	}
	dir := filepath.Join("peer", id.Peer)
	if err := errors.Join(h.write(filepath.Join(dir, fileCert), a.Cert), h.write(filepath.Join(dir, fileKey), keyPEM)); err != nil {
		return err
	}
	if err := h.writeJSON(fileIdentity, id); err != nil {
		return err
	}
	n.log.Warn("this peer has a new identity and an empty log", "old", old.Peer, "new", id.Peer)
	return os.RemoveAll(h.peerPath(old.Peer))
}

// askReplace calls the leader with the old identity, whose certificate is still
// good, while nothing else of the peer runs.
func (n *Node) askReplace(ctx context.Context, h home, old identity, known []contact, req replacement) (joinAnswer, error) {
	creds, err := h.credentials(old)
	if err != nil {
		return joinAnswer{}, err
	}
	port := transport.New(transport.Config{}, transport.Deps{Credentials: creds, Dial: n.deps.Dial, Logger: n.log})
	defer port.Close()
	pool := rpc.NewPool(func(ctx context.Context, peer string) (net.Conn, error) {
		i := slices.IndexFunc(known, func(c contact) bool { return c.ID == peer })
		if i < 0 {
			return nil, fmt.Errorf("the address of peer %s is not known", peer)
		}
		return port.Dial(ctx, known[i].Address, transport.ProtoRPC, peer)
	})
	defer pool.Close()
	var a joinAnswer
	for {
		a, err = ask[replacement, joinAnswer](ctx, pool, known, methodReplace, req)
		if err == nil || errors.Is(err, ErrLeft) || pause(ctx, announceInterval) != nil {
			return a, err
		}
	}
}
