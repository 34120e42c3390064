package push

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// Handler serves GET /agent/v1/connect. It returns as soon as the connection
// is a WebSocket, so that a session does not keep the stack and the buffers of
// an HTTP request.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := s.upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		s.mu.Lock()
		if s.stopping {
			s.mu.Unlock()
			_ = ws.Close()
			return
		}
		s.serving.Add(1)
		s.mu.Unlock()
		address := r.RemoteAddr
		go func() {
			defer s.serving.Done()
			s.serve(ws, address)
		}()
	})
}

// serve owns a connection until it is a session.
func (s *Server) serve(ws *websocket.Conn, address string) {
	c := &conn{ws: ws, writers: s.writers, log: s.deps.Log}
	handed := false
	defer func() {
		if !handed {
			c.shut()
		}
	}()
	if ws.Subprotocol() != wire.Subprotocol {
		_ = c.write(outgoing{close: websocket.FormatCloseMessage(wire.CloseProtocol, "the subprotocol is "+wire.Subprotocol)})
		return
	}
	session, err := s.handshake(c)
	if err != nil {
		var refused *refusal
		if errors.As(err, &refused) {
			_ = c.write(outgoing{close: websocket.FormatCloseMessage(refused.code, refused.reason)})
		}
		s.deps.Log.Info("agent was not admitted", "address", address, "error", err)
		return
	}
	s.deps.Log.Debug("agent connected", "node", session.node, "address", address, "connection", session.hello.Connection)
	handed = true
	s.serving.Go(func() { s.attend(session, c, address) })
}

// attend reads a session to its end, on a goroutine of its own: the stack of
// one that has shaken hands stays as large as that took, for as long as the
// session lasts.
func (s *Server) attend(session *session, c *conn, address string) {
	defer c.shut()
	err := s.read(session, c)
	s.deps.Log.Debug("agent disconnected", "node", session.node, "address", address, "error", err)
	if s.core.ended(session) {
		s.mu.Lock()
		s.closed = append(s.closed, fsm.Closed{Node: session.ord, Session: session.id})
		s.mu.Unlock()
		s.kick(s.heard)
	}
}

// refusal is why a connection is closed before it is a session.
type refusal struct {
	code   int
	reason string
}

func (r *refusal) Error() string { return r.reason }

// handshake sends the challenge, and admits the agent whose hello proves that
// it has the key of its node.
func (s *Server) handshake(c *conn) (*session, error) {
	c.ws.SetReadLimit(wire.LimitBeforeWelcome)
	if err := c.ws.SetReadDeadline(time.Now().Add(helloTime)); err != nil {
		return nil, fmt.Errorf("read deadline: %w", err)
	}
	cluster, peer := s.names()
	if cluster == "" {
		return nil, &refusal{wire.CloseNotReady, "this controller does not know its cluster yet"}
	}
	var random [18]byte
	_, _ = rand.Read(random[:])
	challenge := wire.Challenge{Nonce: wire.Base64(random[:]), Cluster: cluster, Peer: peer}
	data, err := wire.Encode(challenge)
	if err == nil {
		err = c.write(outgoing{data: data})
	}
	if err != nil {
		return nil, err
	}
	_, data, err = c.ws.ReadMessage()
	if err != nil {
		return nil, fmt.Errorf("no hello: %w", err)
	}
	// When a peer has died thousands come at once: what is costly is done for a
	// few at a time, so that whatever keeps the leader gets its turn.
	s.verifying <- struct{}{}
	defer func() { <-s.verifying }()
	m, err := wire.Decode(data)
	if err != nil {
		return nil, &refusal{wire.CloseProtocol, err.Error()}
	}
	hello, ok := m.(wire.Hello)
	if !ok {
		return nil, &refusal{wire.CloseProtocol, "the first frame must be hello, not " + m.Kind()}
	}
	return s.admit(c, challenge, hello)
}

func (s *Server) names() (cluster, peer string) {
	s.deps.Store.View(func(state *fsm.State) {
		if state.Cluster() != nil {
			cluster = state.Cluster().ID
		}
		if p := state.Peer(s.config.Peer); p != nil {
			peer = p.Name
		}
	})
	return cluster, peer
}

func (s *Server) admit(c *conn, challenge wire.Challenge, hello wire.Hello) (*session, error) {
	var node *fsm.Node
	var row *fsm.Row
	s.deps.Store.View(func(state *fsm.State) {
		if node = state.Node(hello.Node); node != nil {
			row = state.Row(node.Ordinal)
		}
	})
	if node == nil {
		return nil, &refusal{wire.CloseUnknown, fmt.Sprintf("node %.130q is not enrolled", hello.Node)}
	}
	text := wire.HelloText(challenge.Cluster, hello.Node, challenge.Nonce)
	if wire.Verify([]ed25519.PublicKey{node.PublicKey}, text, hello.Proof) != nil {
		return nil, &refusal{wire.CloseProof, fmt.Sprintf("the proof does not fit the key of node %q", node.ID)}
	}
	if row.Connected && row.Session.Process != hello.Process && s.claims.tooMany(node.Ordinal, time.Now()) {
		s.deps.Log.Warn("two processes claim one identity; the newcomer is refused", "node", node.ID)
		return nil, &refusal{wire.CloseDuplicate, "another process holds this identity"}
	}
	c.ws.SetReadLimit(wire.LimitAfterWelcome)
	c.ws.SetPongHandler(func(string) error { return c.alive() })
	if err := c.alive(); err != nil {
		return nil, err
	}
	session, err := s.core.admit(c, node.Ordinal, challenge.Nonce, hello)
	if err != nil {
		return nil, &refusal{wire.CloseProtocol, "hello: the manifest is no checksum"}
	}
	if s.stops() { // and has told its sessions, of which this was none yet
		s.core.ended(session)
		return nil, &refusal{wire.CloseNotReady, "this controller is stopping"}
	}
	s.kick(s.kicked)
	s.kick(s.heard)
	return session, nil
}

// How many frames a node may send: each may become a part of the log of all
// peers. Faster ones wait in the node's own connection, and nothing is lost.
const (
	framesPerSecond = 50
	framesAtOnce    = 200
)

// read takes the messages of a session until its connection ends.
func (s *Server) read(session *session, c *conn) error {
	pace := rate.NewLimiter(framesPerSecond, framesAtOnce)
	for {
		_, r, err := c.ws.NextReader()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if d := pace.Reserve().Delay(); d > 0 {
			time.Sleep(d) // at most the time of one frame: no longer than a stop waits anyway
		}
		if err := c.alive(); err != nil {
			return err
		}
		if err := s.decoders.pass(session, c, r); err != nil {
			return err
		}
	}
}
