package agent

import (
	"net"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/droverhq/drover/wire"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		childMain(spec)
		return
	}
	goleak.VerifyTestMain(m)
}

// node is an agent with one controller, over a real socket.
type node struct {
	*cluster
	peer *peer
	url  string
	dir  string
}

func newNode(t *testing.T) *node {
	t.Helper()
	c := newCluster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	n := &node{cluster: c, peer: newPeer(c, "ctl-1", l), url: "http://" + l.Addr().String(), dir: t.TempDir()}
	c.peers = []string{n.url}
	c.enrolled(n.dir, "edge-1")
	return n
}

func (n *node) config(rules ...Rule) Config {
	p := &parser{}
	c := Config{Dir: n.dir, Peers: []string{n.url}, Documents: rules}
	p.check(&c, n.dir)
	if len(p.problems) > 0 {
		n.t.Fatal(p.problems)
	}
	return c
}

func (n *node) acked(l *link, u wire.Update, want docs) {
	n.t.Helper()
	l.send(u)
	ack := next[wire.Ack](l)
	if ack.Update != u.Update || ack.Manifest != want.manifest(n.t) || !ack.Confirmed {
		n.t.Fatalf("ack %+v", ack)
	}
	runs(n.t, n.dir, want)
}

func (n *node) refused(l *link, u wire.Update, code string, still docs) wire.Error {
	n.t.Helper()
	l.send(u)
	e := next[wire.Error](l)
	if e.Update != u.Update || e.Manifest != still.manifest(n.t) || len(e.Errors) == 0 || e.Errors[0].Code != code {
		n.t.Fatalf("config_error %+v, want %s", e, code)
	}
	runs(n.t, n.dir, still)
	return e
}

func TestFullUpdateIsAppliedAndAcked(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	if l.hello.Manifest != (docs{}).manifest(t) || l.hello.Index != 0 || l.hello.Connection != 1 {
		t.Fatalf("hello of a new node: %+v", l.hello)
	}
	v1 := docs{"routing/core": `{"mtu":1500,"a":1.0}`, "webhooks": `{"x":[1,2]}`}
	n.acked(l, n.update(7, nil, v1), v1)
}
