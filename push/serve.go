package push

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/socket"
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
		below, err := socket.New(ws.NetConn(), wire.LimitBeforeWelcome)
		if err != nil {
			s.deps.Log.Error("an agent's connection cannot be used", "error", err)
			_ = ws.Close()
			s.serving.Done()
			return
		}
		c := &conn{ws: below, writers: s.writers, log: s.deps.Log}
		go s.serve(c, ws.Subprotocol())
	})
}

// serve owns a connection until it is a session: what it needs of stack is
// gone then.
func (s *Server) serve(c *conn, protocol string) {
	session, err := s.welcome(c, protocol)
	if err != nil {
		var refused *refusal
		var broken *socket.Error
		switch {
		case errors.As(err, &refused):
			_ = c.write(outgoing{data: socket.CloseFrame(refused.code, refused.reason)})
		case errors.As(err, &broken):
			_ = c.write(outgoing{data: socket.CloseFrame(broken.Code, broken.Reason)})
		}
		s.deps.Log.Info("agent was not admitted", "address", address{c.ws}, "error", err)
		_ = c.ws.Close()
		s.serving.Done()
		return
	}
	s.deps.Log.Debug("agent connected", "node", session.node, "address", address{c.ws}, "connection", session.hello.connection)
	c.session = session
	if err := s.poller.Add(c.ws, c); err != nil {
		s.end(c, err)
		return
	}
	s.newReader(helloSize).attend(c, true)
}

// end takes out a session whose connection has ended. Only its reader calls it.
func (s *Server) end(c *conn, err error) {
	defer s.serving.Done()
	s.deps.Log.Debug("agent disconnected", "node", c.session.node, "address", address{c.ws}, "error", err)
	c.shut()
	_ = s.poller.Remove(c.ws)
	if s.core.ended(c.session) {
		s.tellGone(gone{closed: []fsm.Closed{{Node: c.session.ord, Session: c.session.id}}})
	}
}

// address is where an agent calls from, as the log shows it.
type address struct{ ws *socket.Conn }

// LogValue implements slog.LogValuer.
func (a address) LogValue() slog.Value { return slog.StringValue(a.ws.RemoteAddr().String()) }

// refusal is why a connection is closed before it is a session.
type refusal struct {
	code   int
	reason string
}

func (r *refusal) Error() string { return r.reason }

// welcome sends the challenge, and admits the agent whose hello proves that it
// has the key of its node.
func (s *Server) welcome(c *conn, protocol string) (*session, error) {
	if protocol != wire.Subprotocol {
		return nil, &refusal{wire.CloseProtocol, "the subprotocol is " + wire.Subprotocol}
	}
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
		err = c.write(outgoing{data: socket.Frame(socket.Text, data)})
	}
	if err != nil {
		return nil, err
	}
	data, err = c.ws.ReadMessage()
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
	c.ws.SetLimit(wire.LimitAfterWelcome)
	c.alive(time.Now())
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
