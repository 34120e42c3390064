package api

import (
	"context"
	"slices"
	"testing"

	"github.com/droverhq/drover/fsm"
)

func TestCommonPrefixesAreThoseThatBothCover(t *testing.T) {
	for _, c := range []struct{ a, b, want []string }{
		{nil, nil, nil},
		{nil, []string{"a"}, []string{"a"}},
		{[]string{"a"}, nil, []string{"a"}},
		{[]string{"a"}, []string{"a/b", "c"}, []string{"a/b"}},
		{[]string{"a/"}, []string{"a"}, []string{"a/"}},
		{[]string{"*"}, []string{"a"}, []string{"a"}},
		{[]string{"a", "b"}, []string{"b", "a"}, []string{"b", "a"}},
		{[]string{"a"}, []string{"b"}, []string{nothingAtAll}},
	} {
		if got := common(c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%q and %q: %q, want %q", c.a, c.b, got, c.want)
		}
	}
	for _, name := range []string{"a", "a/b", "x-1"} {
		if covers([]string{nothingAtAll}, name) {
			t.Errorf("nothing at all covers %q", name)
		}
	}
}

func TestATokenNeverReachesMoreThanWasGrantedWhenItsOwnerIsMovedElsewhere(t *testing.T) {
	w := newWorld(t)
	w.must(fsm.PutUser{User: fsm.User{Name: "kim", Role: "editor", Password: "x"}})
	w.tokens["kim"] = w.token("editor", "kim", "a")
	write := func(name string) request {
		return request{method: "PUT", path: "/api/v1/documents/" + name, as: "kim", body: `{"content":{}}`}
	}
	w.want(201, write("a"))
	w.refused(403, "forbidden", write("b"))
	w.must(fsm.PutUser{User: fsm.User{Name: "kim", Role: "editor", Password: "x", Prefixes: []string{"b"}}})
	w.refused(403, "forbidden", write("a"))
	w.refused(403, "forbidden", write("b"))
}

func TestNobodyRevokesATokenThatIsAboveThem(t *testing.T) {
	w := newWorld(t)
	made := w.want(201, request{method: "POST", path: "/api/v1/tokens", body: `{"name":"whole","role":"admin"}`})
	w.tokens["part"] = w.token("admin", "admin", "a")
	revoke := request{method: "DELETE", path: "/api/v1/tokens/" + made["id"].(string), as: "part"}
	w.refused(403, "forbidden", revoke)
	revoke.as = "admin"
	w.want(204, revoke)
	w.refused(404, "not_found", revoke)
}

// catchingUp is a peer whose state reaches the leader's by a strong read alone.
type catchingUp struct {
	*single
	reads func()
}

func (p *catchingUp) ReadIndex(ctx context.Context) (uint64, error) {
	if f := p.reads; f != nil {
		p.reads = nil
		f()
	}
	return p.single.ReadIndex(ctx)
}

// A peer that lags finds out in the middle of a request that an earlier one of
// the same key did it: that is the answer, not that the base has moved.
func TestARepeatedWriteThroughAPeerThatLagsAnswersWhatTheFirstDid(t *testing.T) {
	peer := &catchingUp{}
	w := newWorld(t, func(_ *Config, d *Deps) { peer.single = d.Proposer.(*single); d.Proposer = peer })
	w.put("a", `{"content":{"n":1}}`)
	again := request{method: "PUT", path: docA, body: `{"content":{"n":3}}`, header: map[string]string{"Idempotency-Key": "k"}}
	var sent fsm.Command
	w.proposer.set(func(p *single) {
		p.down = ErrOutcomeUnknown
		p.before = func(c fsm.Command) { sent = c }
	})
	w.refused(504, "outcome_unknown", again)
	w.proposer.set(func(p *single) { p.down, p.before = nil, nil })
	peer.reads = func() {
		w.put("a", `{"content":{"n":2}}`)
		if _, err := w.proposer.Propose(t.Context(), sent); err != nil {
			t.Error(err)
		}
	}
	again.header["If-Match"] = `"2"`
	if got := w.want(200, again); got["version"] != float64(3) {
		t.Errorf("answered %v", got)
	}
}
