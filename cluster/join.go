package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/uuid"

	"github.com/droverhq/drover/cluster/ca"
	"github.com/droverhq/drover/cluster/logstore"
	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/cluster/transport"
	"github.com/droverhq/drover/fsm"
)

// JoinConfig describes a peer that joins.
type JoinConfig struct {
	Address string // host:port of the peer port of any member
	Token   string // from `drover cluster token`
	Config  Config // of the new peer; DataDir is set by Join
}

// joinTimeout bounds the whole conversation.
const joinTimeout = 15 * time.Second

// maxJoinBytes is what a joiner, of whom nothing is known yet, may send.
const maxJoinBytes = 64 << 10

const methodJoin = "join"

type joinRequest struct {
	TokenID string   `cbor:"1,keyasint"`
	Secret  string   `cbor:"2,keyasint"`
	Peer    fsm.Peer `cbor:"3,keyasint"`
	CSR     []byte   `cbor:"4,keyasint"`
}

type joinAnswer struct {
	Epoch    uint64    `cbor:"1,keyasint"`
	Cert     []byte    `cbor:"2,keyasint"`
	CA       []byte    `cbor:"3,keyasint"`
	SealKey  []byte    `cbor:"4,keyasint"`
	Gossip   []byte    `cbor:"5,keyasint"`
	Contacts []contact `cbor:"6,keyasint"`
}

// Join makes a further peer in dir: it verifies by the token that the member at
// the address is of that cluster, before it sends the token's secret, and gets a
// certificate for the key that it makes here. The server that is then started
// on dir becomes a non-voter and, once it has caught up, a voter. A directory
// that is in use is refused; so is what the cluster refuses (ErrRefused).
func Join(ctx context.Context, dir string, conf JoinConfig) error {
	token, err := ca.ParseToken(conf.Token)
	if err != nil {
		return err
	}
	cfg, err := finish(dir, conf.Config)
	if err != nil {
		return err
	}
	id := identity{Peer: uuid.NewString(), Name: cfg.Name, Cluster: token.Cluster}
	h := home(cfg.DataDir)
	if err := h.prepare(id.Peer); err != nil {
		return err
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
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	pool := rpc.NewPool(func(ctx context.Context, _ string) (net.Conn, error) { return dialJoin(ctx, conf.Address, token) })
	defer pool.Close()
	var a joinAnswer
	err = pool.Call(ctx, conf.Address, methodJoin, joinRequest{
		TokenID: token.ID, Secret: token.Secret(), Peer: cfg.row(id.Peer), CSR: csr,
	}, &a)
	var refused *rpc.Error
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", ErrRefused, refused)
	}
	if err != nil {
		return fmt.Errorf("join through %s: %w", conf.Address, err)
	}
	id.Epoch = a.Epoch
	logs, err := logstore.Create(h.peerPath(id.Peer, fileLog), id.Peer)
	if err != nil {
		return err
	}
	if err := logs.Close(); err != nil {
		return fmt.Errorf("close the new raft log: %w", err)
	}
	return h.settle(id, cfg, papers{Cert: a.Cert, Key: keyPEM, CA: a.CA, SealKey: a.SealKey, Gossip: a.Gossip, Contacts: a.Contacts})
}

// dialJoin connects to a member and pins the root of its certificate to the
// token, so that the secret goes to that cluster only.
func dialJoin(ctx context.Context, address string, token ca.Token) (net.Conn, error) {
	d := tls.Dialer{Config: &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{transport.ProtoJoin},
		InsecureSkipVerify: true, // the chain is checked below, against the pinned root
		VerifyConnection: func(s tls.ConnectionState) error {
			chain := s.PeerCertificates
			if len(chain) < 2 || ca.Fingerprint(chain[len(chain)-1]) != token.Root {
				return errors.New("the peer at this address is not of the cluster that made the token")
			}
			roots := x509.NewCertPool()
			roots.AddCert(chain[len(chain)-1])
			id, err := ca.IdentityOf(chain[0])
			if err != nil {
				return err
			}
			_, err = ca.VerifyPeer(chain, roots, ca.Identity{Cluster: token.Cluster, Epoch: id.Epoch}, time.Now())
			return err
		},
	}}
	return d.DialContext(ctx, "tcp", address)
}

// serveJoin answers one joining peer.
func (n *Node) serveJoin(ctx context.Context, c net.Conn) {
	_ = c.SetDeadline(time.Now().Add(joinTimeout))
	s := rpc.NewServer(map[string]rpc.Handler{methodJoin: rpc.Handle(n.handleJoin)}, n.log)
	s.Serve(ctx, &limited{Conn: c, left: maxJoinBytes}, "joining from "+c.RemoteAddr().String())
}

// limited is a connection that can be read so far and no further.
type limited struct {
	net.Conn
	left int
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, net.ErrClosed
	}
	n, err := l.Conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// SetWriteDeadline leaves the deadline of the whole conversation as it is.
func (*limited) SetWriteDeadline(time.Time) error { return nil }

// handleJoin lets a peer in whose token is good. What can be refused without
// using the token is refused first, so that it is not used up in vain.
func (n *Node) handleJoin(ctx context.Context, from string, req joinRequest) (joinAnswer, error) {
	no := func(format string, args ...any) (joinAnswer, error) {
		n.log.Warn("a peer was not let in", "from", from, "name", req.Peer.Name, "reason", fmt.Sprintf(format, args...))
		return joinAnswer{}, &rpc.Error{Code: "refused", Message: fmt.Sprintf(format, args...)}
	}
	r, err := n.running()
	if err != nil {
		return no("%v; try again", err)
	}
	c := r.core
	if err := c.knowsToken(ctx, req.TokenID, ca.HashSecret(req.Secret)); err != nil {
		return no("%v", err)
	}
	if err := checkRow(req.Peer); err != nil {
		return no("%v", err)
	}
	if c.row(req.Peer.ID) != nil || c.isMember(req.Peer.ID) {
		return no("a peer with this id is a member already")
	}
	for _, p := range c.rows() {
		if p.Name == req.Peer.Name {
			return no("another peer is already called %q; choose another name, or remove that peer first", p.Name)
		}
	}
	actor := fsm.Actor{Name: req.Peer.Name, Kind: "peer", Address: from}
	_, err = c.propose(ctx, fsm.Command{Actor: actor, Body: fsm.UseJoinToken{ID: req.TokenID, Hash: ca.HashSecret(req.Secret), Peer: req.Peer.ID}})
	if err == nil {
		_, err = c.propose(ctx, fsm.Command{Actor: actor, Body: fsm.PutPeer{Peer: req.Peer}})
	}
	if err != nil {
		return no("%v", err)
	}
	a, err := c.papers(req.Peer.ID, req.CSR)
	if err != nil {
		return no("%v", err)
	}
	n.log.Info("a peer was let in", "from", from, "peer", req.Peer.ID, "name", req.Peer.Name)
	return a, nil
}

// knowsToken keeps what no token was made for out of the log and the audit:
// whoever reaches the port could fill them. A peer that does not know the token
// may lag behind, so it looks again once it has caught up.
func (c *core) knowsToken(ctx context.Context, id string, hash []byte) error {
	known := func() (yes bool) {
		c.store.View(func(s *fsm.State) { yes = s.KnowsJoinToken(id, hash) })
		return yes
	}
	if known() {
		return nil
	}
	index, err := c.readIndex(ctx)
	if err == nil {
		err = c.store.Wait(ctx, index)
	}
	if err != nil {
		return fmt.Errorf("whether the join token is good cannot be told now: %w; try again", err)
	}
	if !known() {
		return errNoToken
	}
	return nil
}

var errNoToken = errors.New("the join token is not known; make a new one with `drover cluster token`")

// issuePapers issues the certificate of a peer, and adds what it must know.
func (r *running) issuePapers(id string, csr []byte) (joinAnswer, error) {
	authority, err := r.trust.authority()
	if err != nil {
		return joinAnswer{}, err
	}
	own := r.creds.Identity()
	cert, err := authority.IssuePeer(csr, ca.Identity{Cluster: own.Cluster, Epoch: own.Epoch, Peer: id}, time.Now())
	if err != nil {
		return joinAnswer{}, err
	}
	gossip, cluster, err := r.trust.open(sealedGossip)
	if err != nil {
		return joinAnswer{}, err
	}
	return joinAnswer{
		Epoch: own.Epoch, Cert: cert, CA: cluster.CA, SealKey: r.trust.key.File(), Gossip: gossip,
		Contacts: contactsOf(r.trust.store),
	}, nil
}

func contactsOf(store *fsm.Store) []contact {
	var list []contact
	store.View(func(s *fsm.State) {
		for _, p := range s.Peers() {
			list = append(list, contact{ID: p.ID, Address: p.Address, Gossip: p.Gossip})
		}
	})
	return list
}

// checkRow checks what a joining peer says of itself.
func checkRow(p fsm.Peer) error {
	if _, err := uuid.Parse(p.ID); err != nil {
		return fmt.Errorf("%q is not the id of a peer", p.ID)
	}
	if !validName(p.Name) {
		return fmt.Errorf("name: %q is not a name", p.Name)
	}
	for key, v := range map[string]string{"peer.advertise": p.Address, "gossip.listen": p.Gossip} {
		if host, err := splitHostPort(v); err != nil || host == "" {
			return fmt.Errorf("%s: %q is not host:port", key, v)
		}
	}
	return nil
}

// CreateJoinToken makes a token with which one peer can join within ttl
// (default: one hour). It is shown once: only its hash is kept. by is who asked
// for it, for the audit; empty is this peer.
func (n *Node) CreateJoinToken(ctx context.Context, ttl time.Duration, by fsm.Actor) (string, error) {
	r, err := n.running()
	if err != nil {
		return "", err
	}
	if ttl <= 0 {
		ttl = time.Hour
	}
	var cluster *fsm.Cluster
	n.store.View(func(s *fsm.State) { cluster = s.Cluster() })
	if cluster == nil {
		return "", errNoState
	}
	root, err := ca.ParseCertificate(cluster.CA)
	if err != nil {
		return "", err
	}
	token, err := ca.NewToken(cluster.ID, ca.Fingerprint(root))
	if err != nil {
		return "", fmt.Errorf("make a join token: %w", err)
	}
	if by == (fsm.Actor{}) {
		by = peerActor(r.core.id)
	}
	_, err = r.core.propose(ctx, fsm.Command{Actor: by, Body: fsm.CreateJoinToken{Token: fsm.JoinToken{
		ID: token.ID, Hash: ca.HashSecret(token.Secret()), Expires: time.Now().Add(ttl).UnixMilli(),
	}}})
	if err != nil {
		return "", err
	}
	n.log.Info("a join token was made", "token", token, "ttl", ttl.String())
	return token.Reveal(), nil
}
