package fleet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/wire"
)

// node is a client of Drover.
type node struct {
	fleet  *fleet
	number int
	name   string
	key    ed25519.PrivateKey
	peer   int // where it is connected, or calls next

	connection   uint64
	seq          uint64
	epoch, index uint64
	holds        *holding
	copies       []own
	answer       []byte
}

// own is a node's own copy of a document. As long as it has not changed it is
// not copied, so that thousands of nodes with hundreds of documents fit into
// one machine.
type own struct {
	target string
	text   []byte
	shared bool
}

func newNode(f *fleet, number int) (*node, error) {
	if f.identity.Cluster == "" {
		return nil, errors.New("the nodes are not enrolled")
	}
	return &node{
		fleet: f, number: number, name: nodeName(f.setup.Prefix, number), key: nodeKey(f.setup.Prefix, number),
		peer: number % len(f.setup.Addresses), connection: uint64(time.Now().UnixMilli()), holds: nothing(),
	}, nil
}

// goneAway is why a session ends that the controller has ended politely.
type goneAway struct {
	reason string
	after  time.Duration
}

func (g *goneAway) Error() string { return "goaway " + g.reason }

// Times of the protocol between attempts to connect.
const (
	firstAgain = 500 * time.Millisecond
	againBase  = time.Second
	againCap   = time.Minute
)

func (n *node) run(ctx context.Context, ready func()) {
	first := true
	for failures := 0; ctx.Err() == nil; failures++ {
		err := n.session(ctx, func() {
			failures = -1
			n.fleet.connected.Add(1)
			if first {
				first = false
				ready()
			}
		})
		if failures < 0 {
			n.fleet.connected.Add(-1)
			n.fleet.again.Add(1)
			n.fleet.reasons.add(err)
		}
		n.peer = (n.peer + 1) % len(n.fleet.setup.Addresses)
		wait := firstAgain
		if failures >= 0 {
			wait = min(againCap, againBase<<min(failures, 6))
		}
		wait = time.Duration(mrand.Int64N(int64(wait)))
		if away := new(goneAway); errors.As(err, &away) {
			wait = away.after
		}
		pause(ctx, wait)
	}
}

// session holds one connection.
func (n *node) session(ctx context.Context, ready func()) error {
	ws, err := n.fleet.dial(ctx, n.number, n.fleet.setup.Addresses[n.peer])
	if err != nil {
		return err
	}
	defer ws.Close()
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	if err := ws.SetReadDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	n.seq = 0
	welcomed := false
	for {
		err := n.fleet.read(ws, func(frame []byte) error {
			if bytes.HasPrefix(frame, []byte(`{"type":"config_update"`)) {
				return n.update(ws, frame)
			}
			m, err := wire.Decode(frame)
			if err != nil {
				return err
			}
			if _, ok := m.(wire.Welcome); ok && !welcomed {
				welcomed = true
				ready()
				return ws.SetReadDeadline(time.Time{})
			}
			return n.hear(ws, m)
		})
		if err != nil {
			return err
		}
	}
}

// hear answers whatever is no update.
func (n *node) hear(ws *websocket.Conn, m wire.Message) error {
	switch m := m.(type) {
	case wire.Challenge:
		var nonce [18]byte
		if _, err := rand.Read(nonce[:]); err != nil {
			return err
		}
		n.connection++
		return n.say(ws, wire.Hello{
			Node: n.name, Proof: wire.Sign(n.key, wire.HelloText(m.Cluster, n.name, m.Nonce)), Process: strconv.Itoa(n.number),
			Connection: n.connection, AgentVersion: "bench", Epoch: n.epoch, Index: n.index, Manifest: n.holds.manifest, Nonce: wire.Base64(nonce[:]),
		})
	case wire.Report:
		n.seq++
		have := map[string]string{}
		for target, sum := range n.holds.sums {
			have[target] = sum.String()
		}
		return n.say(ws, wire.Status{Seq: n.seq, Epoch: n.epoch, Index: n.index, Manifest: n.holds.manifest, Have: have})
	case wire.Goaway:
		if m.Reason == wire.GoawayNoQuorum {
			return nil // it stays where it is until another peer serves
		}
		n.connection = max(n.connection, m.Connection)
		return &goneAway{m.Reason, time.Duration(m.RetryAfterMS) * time.Millisecond}
	}
	return nil
}

func (n *node) say(ws *websocket.Conn, m wire.Message) error {
	text, err := wire.Encode(m)
	if err != nil {
		return err
	}
	return ws.WriteMessage(websocket.TextMessage, text)
}

// update applies a change to this node's own copies, and confirms it.
func (n *node) update(ws *websocket.Conn, frame []byte) error {
	u, err := n.fleet.known.update(frame)
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if problem := n.refuses(u); problem != nil {
		n.seq++
		return n.say(ws, wire.Error{Seq: n.seq, Update: u.id, Epoch: u.epoch, Index: u.index, Manifest: n.holds.manifest, Errors: []wire.Problem{*problem}})
	}
	for _, e := range u.edits {
		n.edit(e)
	}
	n.holds, n.epoch, n.index = u.to, u.epoch, u.index
	n.seq++
	n.answer = append(strconv.AppendUint(append(n.answer[:0], u.ackHead...), n.seq, 10), u.ackTail...)
	if err := ws.WriteMessage(websocket.TextMessage, n.answer); err != nil {
		return err
	}
	if len(u.edits) == 0 {
		return nil // it brought the number alone
	}
	if e, last := n.fleet.tracker.confirmed(u.revision, len(frame), len(n.answer)); last {
		n.fleet.events <- e
	}
	return nil
}

func (n *node) refuses(u *update) *wire.Problem {
	switch {
	case u.epoch < n.epoch || u.epoch == n.epoch && u.index < n.index:
		return &wire.Problem{Stage: wire.StageVerify, Code: wire.CodeStaleIndex, Retryable: true}
	case u.problem != nil:
		return u.problem
	case u.base.manifest != n.holds.manifest:
		return &wire.Problem{Stage: wire.StageVerify, Code: wire.CodeBaseMismatch, Retryable: true}
	}
	return nil
}

func (n *node) edit(e edit) {
	at := -1
	for i := range n.copies {
		if n.copies[i].target == e.target {
			at = i
		}
	}
	if e.removed {
		if at >= 0 {
			n.copies = append(n.copies[:at], n.copies[at+1:]...)
		}
		return
	}
	if at < 0 {
		at = len(n.copies)
		n.copies = append(n.copies, own{target: e.target})
	}
	switch c := &n.copies[at]; {
	case e.full != nil:
		c.text, c.shared = e.full, true
	case c.shared:
		c.text, c.shared = e.splice.Apply(bytes.Clone(c.text)), false
	default:
		c.text = e.splice.Apply(c.text)
	}
	if load.CRC(n.copies[at].text) != e.crc {
		n.fleet.wrong.Add(1)
	}
}
