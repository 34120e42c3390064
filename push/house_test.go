package push

import (
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

func TestAgentsLearnOfNewPeers(t *testing.T) {
	b := newBed(t, "n")
	r := b.connect("n", 1, "x")
	if w := receive[wire.Welcome](r); len(w.Peers) != 1 || !w.Quorum {
		t.Errorf("welcome %+v", w)
	}
	receive[wire.Update](r)
	b.do(fsm.PutPeer{Peer: fsm.Peer{ID: "p2", Name: "ctl-2", URL: "http://127.0.0.1:2"}})
	if p := receive[wire.Peers](r); len(p.Peers) != 2 || p.Peers[0] != "http://127.0.0.1:2" || !p.Quorum {
		t.Errorf("peers %+v", p)
	}
}

func TestNoMoreAgentsAreShedThanAreTooMany(t *testing.T) {
	c := testCore()
	var lanes []*lane
	for ord := range uint32(100) {
		_, l := c.enter(t, ord, wire.Hello{})
		lanes = append(lanes, l)
	}
	told := func() (n int) {
		for _, l := range lanes {
			n += len(l.told)
		}
		return n
	}
	now := time.Unix(1000, 0)
	for range 5 { // they take their time
		c.shed(70, nil, now)
		now = now.Add(time.Second)
	}
	if told() != 30 {
		t.Errorf("%d of 30 agents were asked to go", told())
	}
	c.shed(70, nil, now.Add(shedPatience))
	if told() != 60 {
		t.Errorf("%d agents were asked once those that stayed were given up", told()-30)
	}
}

func TestNobodyIsAdmittedWhileThePeerStops(t *testing.T) {
	b := newBed(t, "n")
	r := b.dial() // a connection from before the stop
	b.server.Drain(t.Context())
	r.say(wire.Hello{
		Node: "n", Process: "x", Connection: 1, Nonce: "mine", Manifest: emptyManifest.String(),
		Proof: wire.Sign(b.keys["n"], wire.HelloText("c1", "n", r.nonce)),
	})
	if code := r.closed(); code != wire.CloseNotReady {
		t.Errorf("closed with %d", code)
	}
	if n := b.server.Sessions(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}
