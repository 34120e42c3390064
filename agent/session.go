package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/wire"
)

const (
	defaultHeartbeat = 20 * time.Second
	silence          = 10 * time.Second // beyond the heartbeat, after which a session is dead
	pingAfter        = 2 * time.Second  // beyond the heartbeat, after which the agent asks
	writeBase        = 10 * time.Second
	writeRate        = 16 << 10 // bytes a second that a write may count on
	queue            = 32       // messages that may wait to be written
)

// errSlow ends a session whose controller does not read.
var errSlow = errors.New("the controller does not read what is sent")

// outgoing is one message to write.
type outgoing struct {
	message    wire.Message
	says       *held    // what it tells of the node; nil: nothing
	unlessSaid bool     // drop it if the session said the same last
	failure    *failure // of a generation, to be told to one controller
	untold     bool     // stands for the failure on the board, if there is one
}

// session is one connection on which a controller welcomed this node.
type session struct {
	agent    *Agent
	conn     *websocket.Conn
	line     *lifeline
	address  string
	started  time.Time
	nonces   [2]string // the controller's, ours
	welcome  wire.Welcome
	process  string
	out      chan outgoing
	mu       sync.Mutex // guards closed and the sending side of out
	closed   bool
	seq      uint64 // the writer's
	said     *held  // the writer's
	audience string // the reader's
}

// send queues a message; false means that the session is over or drowning.
func (s *session) send(o outgoing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	select {
	case s.out <- o:
		return true
	default:
		s.line.cut(errSlow)
		return false
	}
}

// run reads and writes until the connection ends, and says why.
func (s *session) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() {
		bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
		deadline := time.Now().Add(time.Second)
		// Nobody is left to hear of an error here.
		_ = s.conn.WriteControl(websocket.CloseMessage, bye, deadline)
		_ = s.conn.Close()
	})
	defer stop()
	quiet := s.heartbeat() + pingAfter // here: a later welcome is the reader's
	g.Go(func() error { return s.write(ctx, quiet) })
	g.Go(func() error { return s.read(ctx) })
	err := g.Wait()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.agent.mailbox.drop(s)
	for {
		select {
		case o := <-s.out:
			if o.failure != nil {
				s.agent.board.pass(o.failure)
			}
		default:
			return s.line.reason(err)
		}
	}
}

func (s *session) heartbeat() time.Duration {
	if n := s.welcome.HeartbeatS; n > 0 && n <= 3600 {
		return time.Duration(n) * time.Second
	}
	return defaultHeartbeat
}

// write is the only writer of data frames. Where nothing was heard for longer
// than the heartbeat it asks for a sign of life.
func (s *session) write(ctx context.Context, quiet time.Duration) error {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-s.out:
			if err := s.deliver(o); err != nil {
				return err
			}
		case <-timer.C:
			wait := quiet - time.Since(s.line.heard())
			if wait <= 0 {
				if err := s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeBase)); err != nil {
					return err
				}
				wait = quiet
			}
			timer.Reset(wait)
		}
	}
}

func (s *session) deliver(o outgoing) error {
	if o.unlessSaid && o.says.same(s.said) {
		return nil
	}
	if o.untold {
		f := s.agent.board.takeUntold()
		if f == nil {
			return nil
		}
		h := s.agent.board.now()
		o = outgoing{message: f.frame(h), says: h, failure: f}
	}
	err := s.put(o)
	if err != nil && o.failure != nil {
		s.agent.board.pass(o.failure)
	}
	return err
}

// put numbers a report and writes it.
func (s *session) put(o outgoing) error {
	switch m := o.message.(type) {
	case wire.Ack:
		s.seq++
		m.Seq = s.seq
		o.message = m
	case wire.Error:
		s.seq++
		m.Seq = s.seq
		o.message = m
	case wire.Status:
		s.seq++
		m.Seq = s.seq
		o.message = m
	}
	if err := writeFrame(s.conn, o.message); err != nil {
		return err
	}
	if o.says != nil {
		s.said = o.says
	}
	if o.failure != nil && o.failure.generation > 0 {
		s.agent.worker.wasTold(o.failure.generation)
	}
	return nil
}

func writeFrame(conn *websocket.Conn, m wire.Message) error {
	frame, err := wire.Encode(m)
	if err != nil {
		return err
	}
	limit := writeBase + time.Duration(len(frame))*time.Second/writeRate
	if err := conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	return conn.WriteMessage(websocket.TextMessage, frame)
}

// read takes frames until the connection ends.
func (s *session) read(ctx context.Context) error {
	for {
		kind, frame, err := s.conn.ReadMessage()
		if err != nil {
			return err
		}
		if kind != websocket.TextMessage {
			s.fault("malformed", "frames are JSON text")
			continue
		}
		m, err := wire.Decode(frame)
		switch {
		case errors.Is(err, wire.ErrUnknownType):
			s.fault("unknown_type", clip(err.Error(), 200))
		case err != nil:
			s.fault(wire.CodeMalformed, clip(err.Error(), 200))
		default:
			if err := s.handle(ctx, m); err != nil {
				return err
			}
		}
	}
}

func (s *session) fault(code, message string) {
	s.agent.log.Warn("a frame was not understood", "peer", s.address, "code", code, "error", message)
	s.send(outgoing{message: wire.Fault{Code: code, Message: message}})
}

func (s *session) handle(ctx context.Context, m wire.Message) error {
	switch m := m.(type) {
	case wire.Update:
		s.update(m)
	case wire.Report:
		h := s.agent.worker.reread(ctx)
		s.send(outgoing{message: h.status("report"), says: h})
	case wire.Welcome:
		if err := s.accept(m); err != nil {
			return err
		}
		return s.tell(ctx, m)
	case wire.Keys, wire.Peers, wire.Goaway:
		return s.tell(ctx, m)
	case wire.Fault:
		s.agent.log.Warn("the controller did not understand a frame", "peer", s.address, "code", m.Code, "error", clip(m.Message, 500))
	default:
		s.fault("unexpected_type", m.Kind()+" is for controllers")
	}
	return nil
}

// tell hands a message to the keeper and waits until it counts: an update that
// follows new keys may be signed by one of them.
func (s *session) tell(ctx context.Context, m wire.Message) error {
	handled := make(chan struct{})
	select {
	case s.agent.keeper.events <- event{from: s, message: m, handled: handled}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-handled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept verifies a welcome, the first and any later one: only a holder of a
// signing key knows both nonces of this connection and can bind an audience.
func (s *session) accept(w wire.Welcome) error {
	id := s.agent.identity.Load()
	text := wire.WelcomeText(id.Cluster, id.Node, s.nonces[0], s.nonces[1], w.Audience)
	if err := wire.Verify(id.pinned, text, w.Signature); err != nil {
		return fmt.Errorf("welcome: %w", err)
	}
	s.welcome, s.audience = w, w.Audience
	return nil
}

// update verifies what can be told without the disk, before anything else
// looks at the update, and puts it into the mailbox.
func (s *session) update(u wire.Update) {
	id := s.agent.identity.Load()
	header, err := wire.OpenHeader(id.pinned, u.Header, u.Signature)
	code := ""
	switch {
	case errors.Is(err, wire.ErrSignature):
		code = wire.CodeBadSignature
	case err != nil:
		code = wire.CodeMalformed
	case header.Purpose != wire.PurposeUpdate:
		code, err = wire.CodeBadSignature, fmt.Errorf("the signature was made for the purpose %q", clip(header.Purpose, 40))
	case header.Cluster != id.Cluster:
		code, err = wire.CodeWrongCluster, errors.New("the update was signed for another cluster")
	case header.Audience != s.audience:
		code, err = wire.CodeWrongAudience, errors.New("the update was signed for another set of nodes than the one this node was bound to")
	default:
		s.agent.mailbox.put(job{from: s, update: u, header: header})
		return
	}
	f := &failure{update: u.Update, problems: []wire.Problem{{
		Stage: wire.StageVerify, Code: code, Message: clip(err.Error(), messageBytes), Retryable: true,
	}}}
	if code == wire.CodeWrongAudience || code == wire.CodeWrongCluster {
		f.at.Epoch, f.at.Index = header.Epoch, header.Index
	}
	s.agent.log.Warn("an update was refused", "peer", s.address, "code", code, "error", err)
	h := s.agent.board.now()
	s.send(outgoing{message: f.frame(h), says: h})
}
