package push

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// lane is the end of a session that keeps what it is given.
type lane struct {
	frames []*frame
	told   []wire.Message
	ended  int // close code
}

func (l *lane) send(f *frame)            { l.frames = append(l.frames, f) }
func (l *lane) tell(m wire.Message)      { l.told = append(l.told, m) }
func (l *lane) close(code int, _ string) { l.ended = code }

func testCore() *core {
	return newCore("p", 1, func(string) string { return "signed" }, rand.New(rand.NewPCG(1, 1)))
}

func (c *core) enter(t *testing.T, ord uint32, h wire.Hello) (*session, *lane) {
	t.Helper()
	l := &lane{}
	if h.Manifest == "" {
		h.Manifest = emptyManifest.String()
	}
	s, err := c.admit(l, ord, "n", h)
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

// inFull is a state that wants something else by now.
func inFull(uint32, fsm.Position, fsm.Sum) bool { return false }

// drain brings all that was said into entries of a log, and returns them.
func (c *core) drain(t *testing.T) (out []fsm.Reports) {
	t.Helper()
	for {
		d, more := c.collect(inFull, gone{})
		if !more {
			return out
		}
		if _, err := fsm.Encode(fsm.Command{Body: d.command}); err != nil {
			t.Fatalf("%d single, %d groups: %v", len(d.command.Single), len(d.command.Acks), err)
		}
		out = append(out, d.command)
		c.committed(d)
	}
}

// noise is text that cannot be compressed below half its size.
func noise(n int) string {
	out := ""
	for i := 0; len(out) < n; i++ {
		sum := sha256.Sum256([]byte(fmt.Sprint(i)))
		out += hex.EncodeToString(sum[:])
	}
	return out[:n]
}

func TestNoNodeHoldsUpTheReportsOfOthers(t *testing.T) {
	c := testCore()
	facts := map[string]string{}
	for i := range 50 {
		facts[fmt.Sprint(i)] = noise(1000)
	}
	long := noise(4 << 10)
	for ord := range uint32(60) {
		s, _ := c.enter(t, ord, wire.Hello{Facts: facts, Process: noise(9000), AgentVersion: noise(9000)})
		for range 60 {
			e := wire.Error{Manifest: emptyManifest.String()}
			for range 40 {
				e.Errors = append(e.Errors, wire.Problem{Target: long, Stage: long, Code: long, Pointer: long, Message: long, LogTail: long})
			}
			if !c.hear(s, e) {
				t.Fatal("an error is not understood")
			}
		}
		if s.size() > 100<<10 {
			t.Fatalf("one session keeps %d bytes for the log", s.size())
		}
	}
	seen := map[uint32]bool{}
	for _, r := range c.drain(t) {
		for _, one := range r.Single {
			seen[one.Node] = true
		}
	}
	if len(seen) != 60 {
		t.Errorf("%d of 60 nodes were heard", len(seen))
	}
}

func TestAStormFitsIntoEntries(t *testing.T) {
	c := testCore()
	const nodes = 40_000
	update := &offer{id: "u", manifest: fsm.Sum{1}, versions: []fsm.DocVersion{{Document: "a", Version: 1, Target: "a"}}}
	var sessions []*session
	for ord := range uint32(nodes) {
		s, _ := c.enter(t, ord, wire.Hello{Process: "x"})
		sessions = append(sessions, s)
	}
	opened := 0
	for _, r := range c.drain(t) {
		opened += len(r.Single)
	}
	for _, s := range sessions {
		s.inflight = update
		c.hear(s, wire.Ack{Update: "u", Manifest: fsm.Sum{1}.String(), Confirmed: true})
	}
	acks, single := 0, 0
	for _, r := range c.drain(t) {
		single += len(r.Single)
		for _, g := range r.Acks {
			for _, b := range g.Packed {
				if b < 0x80 {
					acks++
				}
			}
		}
	}
	if opened != nodes || single != 0 || acks != 3*nodes {
		t.Errorf("%d opened, %d single reports, %d confirmations", opened, single, acks/3)
	}
}

func TestAListThatDoesNotAddUpIsNotTaken(t *testing.T) {
	c := testCore()
	s, _ := c.enter(t, 0, wire.Hello{})
	c.drain(t)
	have := map[string]string{"a": fsm.Sum{1}.String()}
	if c.hear(s, wire.Status{Manifest: fsm.Sum{9}.String(), Have: have}) {
		t.Error("a list was taken for a manifest that it does not make")
	}
	if got := c.drain(t); len(got) != 0 || s.last.manifest != emptyManifest {
		t.Error("it was reported all the same")
	}
	sum := document.ManifestSum([]document.Entry{{Target: "a", Checksum: fsm.Sum{1}}})
	if !c.hear(s, wire.Status{Manifest: sum.String(), Have: have}) {
		t.Error("a list that adds up was not taken")
	}
}

func TestAnErrorOutlivesItsSession(t *testing.T) {
	for what, end := range map[string]func(t *testing.T, c *core, s *session){
		"the connection ends":     func(_ *testing.T, c *core, s *session) { c.ended(s) },
		"another one takes over":  func(t *testing.T, c *core, _ *session) { c.enter(t, 0, wire.Hello{Connection: 2}) },
		"and the proposal failed": func(_ *testing.T, c *core, s *session) { c.ended(s); d, _ := c.collect(inFull, gone{}); c.failed(d) },
	} {
		t.Run(what, func(t *testing.T) {
			c := testCore()
			s, _ := c.enter(t, 0, wire.Hello{Connection: 1})
			c.hear(s, wire.Error{Manifest: emptyManifest.String(), Errors: []wire.Problem{{Code: wire.CodeHookFailed}}})
			end(t, c, s)
			got := c.drain(t)
			if len(got) != 1 || got[0].Single[0].Session != s.id || got[0].Single[0].Tried == nil {
				t.Errorf("the log gets %+v", got)
			}
			if len(c.owing) != 0 || len(c.unsaid) != 0 {
				t.Error("what has been said is still kept")
			}
		})
	}
}

func TestAStatusAfterAConfirmationKeepsItsVersions(t *testing.T) {
	c := testCore()
	s, _ := c.enter(t, 0, wire.Hello{})
	c.drain(t)
	sum := document.ManifestSum([]document.Entry{{Target: "a", Checksum: fsm.Sum{1}}})
	s.inflight = &offer{id: "u", manifest: sum, versions: []fsm.DocVersion{{Document: "a", Version: 7, Target: "a"}}}
	c.hear(s, wire.Ack{Update: "u", Manifest: sum.String(), Confirmed: true})
	c.hear(s, wire.Status{Manifest: sum.String(), Have: map[string]string{"a": fsm.Sum{1}.String()}})
	c.hear(s, wire.Error{Manifest: sum.String(), Errors: []wire.Problem{{Code: wire.CodeInterrupted, Retryable: true}}})
	versions := false
	for _, r := range c.drain(t) {
		for _, one := range r.Single {
			versions = versions || one.Versions != nil
		}
		versions = versions || len(r.Acks) > 0
	}
	if !versions {
		t.Error("the state never learns which versions the node accepted")
	}
}

func TestNothingIsSentToANodeThatHasSpokenSinceThePlan(t *testing.T) {
	b := newBed(t, "n")
	b.put("a", `{"x":1}`)
	c := testCore()
	s, l := c.enter(t, 0, wire.Hello{Node: "n", Process: "x", Connection: 1})
	c.drain(t)
	var p plan
	b.peer.store.View(func(state *fsm.State) { p = c.plan(state, conditions{quorum: true}) })
	if p.wishes != 1 {
		t.Fatalf("%d wishes", p.wishes)
	}
	c.hear(s, wire.Error{Manifest: emptyManifest.String(), Errors: []wire.Problem{{Code: wire.CodeInterrupted, Retryable: true}}})
	if err := c.dispatch(p, newFoundry(c.sign)); err != nil {
		t.Fatal(err)
	}
	if len(l.frames) != 0 {
		t.Error("an update was sent before the state holds the node's error")
	}
}
