package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

// client is one reader of an event stream.
type client struct {
	t      *testing.T
	lines  chan string // closed when the stream ends
	status int
	lastID string
	cancel func()
}

type event struct {
	kind, id string
	data     map[string]any
}

// listen opens an event stream over a real connection.
func (w *world) listen(url, token, last string) *client {
	w.t.Helper()
	return w.listenWith(http.DefaultClient, url, token, last)
}

func (w *world) listenWith(browser *http.Client, url, token, last string) *client {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url+eventsPath, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		q.Header.Set("Last-Event-ID", last)
	}
	r, err := browser.Do(q) //nolint:bodyclose // by the goroutine below, when the stream ends
	if err != nil {
		w.t.Fatal(err)
	}
	c := &client{t: w.t.(*testing.T), lines: make(chan string, 10_000), status: r.StatusCode, cancel: cancel}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(c.lines)
		defer r.Body.Close()
		for in := bufio.NewScanner(r.Body); in.Scan(); {
			c.lines <- in.Text()
		}
	}()
	w.t.Cleanup(func() {
		cancel()
		<-ended
	})
	return c
}

// block reads the lines up to the next empty one; ok is false at the end.
func (c *client) block() (lines []string, ok bool) {
	c.t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	for {
		select {
		case line, open := <-c.lines:
			if !open || line == "" {
				return lines, open
			}
			lines = append(lines, line)
		case <-timer.C:
			c.t.Fatal("nothing came")
		}
	}
}

// next reads the next event, and keeps the ids as a browser does.
func (c *client) next() event {
	c.t.Helper()
	for {
		lines, ok := c.block()
		if !ok {
			c.t.Fatal("the stream ended")
		}
		var e event
		for _, line := range lines {
			key, value, _ := strings.Cut(line, ": ")
			switch key {
			case "event":
				e.kind = value
			case "id":
				e.id, c.lastID = value, value
			case "data":
				if err := json.Unmarshal([]byte(value), &e.data); err != nil {
					c.t.Fatalf("data %q: %v", value, err)
				}
			}
		}
		if e.kind != "" {
			return e
		}
	}
}

// until reads events until one of a kind.
func (c *client) until(kind string) event {
	c.t.Helper()
	for {
		if e := c.next(); e.kind == kind {
			return e
		}
	}
}

func (w *world) listening() *httptest.Server {
	srv := httptest.NewServer(w.server.Handler())
	w.t.Cleanup(srv.Close)
	return srv
}

// report has a connected node report what it holds.
func (w *world) report(id string, seq uint64, manifest fsm.Sum, confirmed bool) {
	w.t.Helper()
	var r fsm.Report
	w.store.View(func(st *fsm.State) {
		n := st.Node(id)
		r = fsm.Report{Node: n.Ordinal, Session: uint64(n.Ordinal) + 1, Seq: seq, Manifest: manifest, At: st.Position(), Confirmed: confirmed}
	})
	if seq == 1 {
		r.Open = &fsm.Open{Connection: 1, Process: "p", AgentVersion: "1.0"}
	}
	w.must(fsm.Reports{Peer: "p1", Single: []fsm.Report{r}})
}

// desired is what a node should hold.
func (w *world) desired(id string) (sum fsm.Sum) {
	w.store.View(func(st *fsm.State) { sum = st.Desired(st.Node(id).Ordinal).Sum })
	return sum
}

var nothingHeld = document.ManifestSum(nil)

func TestAChangeIsFollowedToItsEnd(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	w.report("edge-1", 1, nothingHeld, true)
	srv := w.listening()
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	lines, _ := c.block()
	if c.status != 200 || lines[0] != "retry: 1000" || !strings.HasPrefix(lines[1], "id: 1.") {
		t.Fatalf("%d, greeting %q", c.status, lines)
	}
	w.put("a", `{"content":{"x":1},"message":"go"}`)
	e := c.next()
	if e.kind != "revision" && e.kind != "push" {
		t.Fatalf("got %+v", e)
	}
	if e.kind == "push" {
		e = c.until("revision")
	}
	if e.data["revision"] != 1.0 || e.data["message"] != "go" || e.data["push"] != "1" || e.data["documents"].([]any)[0] != "a" {
		t.Errorf("revision %+v", e)
	}
	w.report("edge-1", 2, w.desired("edge-1"), true)
	e = c.until("node")
	node := e.data["nodes"].([]any)[0].(map[string]any)
	if node["id"] != "edge-1" || node["status"] != "acked" || node["in_sync"] != true || node["connected"] != true {
		t.Errorf("node %+v", e)
	}
	for {
		e = c.until("push")
		if counts := e.data["counts"].(map[string]any); counts["acked"] == 1.0 {
			break
		}
	}
	w.must(fsm.EndPush{Revision: 1})
	if e = c.until("push"); e.data["state"] != "done" || e.id == "" {
		t.Errorf("push %+v", e)
	}
	w.must(fsm.PutPeer{Peer: fsm.Peer{ID: "p2", Name: "ctl-2"}})
	if e = c.until("peer"); e.data["name"] != "ctl-2" || e.data["alive"] != true {
		t.Errorf("peer %+v", e)
	}
	w.must(fsm.RemoveNode{Node: "edge-1"})
	e = c.until("node")
	if node := e.data["nodes"].([]any)[0].(map[string]any); node["removed"] != true {
		t.Errorf("removed node %+v", e)
	}
}

func TestAStreamResumesWhereItEnded(t *testing.T) {
	w := newWorld(t)
	srv := w.listening()
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	w.put("a", `{"content":{"x":1}}`)
	for c.next().id == "" {
	}
	last := c.lastID
	c.cancel()
	w.put("b", `{"content":{"x":1}}`)
	again := w.listen(srv.URL, w.tokens["viewer"], last)
	if e := again.until("revision"); e.data["revision"] != 2.0 {
		t.Errorf("resumed with %+v after %s", e, last)
	}
}

func TestAStreamThatMissedSomethingIsTold(t *testing.T) {
	w := newWorld(t)
	srv := w.listening()
	for _, last := range []string{"1.99999999", "7.1", "0.0"} {
		c := w.listen(srv.URL, w.tokens["viewer"], last)
		if e := c.next(); e.kind != "gap" || e.data["index"] != float64(w.store.Index()) || e.id == "" {
			t.Errorf("after %s: %+v", last, e)
		}
		c.cancel()
	}
	w.refused(400, "bad_request", request{method: "GET", path: eventsPath, header: map[string]string{"Last-Event-ID": "x"}})
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	w := newWorld(t)
	srv := w.listening()
	for name, end := range map[string]func(id string){
		"revoked": func(id string) { w.must(fsm.RemoveToken{ID: id}) },
		"orphan":  func(string) { w.must(fsm.RemoveUser{Name: "orphan"}) },
		"expired": func(string) { w.sleep(time.Hour); w.must(fsm.Note{Action: "x", Outcome: "x"}) },
	} {
		w.must(fsm.PutUser{User: fsm.User{Name: name, Role: "viewer", Password: "x"}})
		cookie := w.want(201, request{method: "POST", path: "/api/v1/tokens", body: `{"name":"` + name + `","role":"viewer","expires":"30m"}`})
		id, token := cookie["id"].(string), cookie["token"].(string)
		if name == "orphan" {
			token = w.token("viewer", "orphan")
		}
		c := w.listen(srv.URL, token, "")
		if _, ok := c.block(); !ok {
			t.Fatalf("%s: no stream", name)
		}
		end(id)
		for ok := true; ok; {
			_, ok = c.block()
		}
	}
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	c.block()
	w.server.Drain()
	for ok := true; ok; {
		_, ok = c.block()
	}
	w.refused(503, "not_ready", request{method: "GET", path: eventsPath})
}

func TestStreamsAreCountedAndLimited(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Streams.Limit, c.Streams.Each = 3, 2 })
	srv := w.listening()
	for range 2 {
		w.listen(srv.URL, w.tokens["viewer"], "").block()
	}
	w.refused(503, "too_many_streams", request{method: "GET", path: eventsPath, as: "viewer"})
	c := w.listen(srv.URL, w.tokens["editor"], "")
	c.block()
	w.refused(503, "too_many_streams", request{method: "GET", path: eventsPath, as: "admin"})
	rec := w.do(request{method: "GET", path: "/metrics"})
	if !strings.Contains(rec.Body.String(), "drover_event_streams 3") {
		t.Error("the streams are not counted")
	}
}

func TestAStreamBeats(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Streams.Heartbeat = time.Millisecond })
	srv := w.listening()
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	c.block()
	for {
		lines, _ := c.block()
		if len(lines) == 2 && lines[0] == ": heartbeat" && strings.HasPrefix(lines[1], "id: 1.") {
			return
		}
	}
}

// Within one interval the clients get one event, however many commands there are.
func TestManyChangesOfNodesAreFewEvents(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Streams.Coalesce = time.Hour })
	const nodes = 600
	for i := range nodes {
		w.enroll(fmt.Sprintf("n-%d", i), nil)
	}
	srv := w.listening()
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	c.block()
	w.report("n-0", 1, nothingHeld, true)
	if e := c.until("node"); e.id == "" {
		t.Errorf("the first event has no id: %+v", e)
	}
	for i := 1; i < nodes; i++ {
		w.report(fmt.Sprintf("n-%d", i), 1, nothingHeld, true)
	}
	w.put("a", `{"content":{}}`)
	for e := c.next(); e.kind != "revision"; e = c.next() {
		if e.kind == "node" {
			t.Errorf("a second event for nodes within one interval: %v", e)
		}
	}
	// The revision was sent before nodes that had changed earlier: to resume
	// behind it would lose those, so it must not have moved the id.
	var reported uint64
	w.store.View(func(st *fsm.State) { reported = st.Revision(1).Index - 1 })
	if last, _ := parsePosition(c.lastID); last.Index >= reported {
		t.Errorf("the client would resume at %s, with a node outstanding that changed at %d", c.lastID, reported)
	}
}

func TestMoreNodesThanAnEventListsAreANumber(t *testing.T) {
	w := newWorld(t)
	srv := w.listening()
	ids := make([]string, nodesInEvent+1)
	for i := range ids {
		ids[i] = fmt.Sprintf("n-%d", i)
		w.enroll(ids[i], nil)
	}
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	c.block()
	w.must(fsm.RetryNodes{Nodes: ids})
	if e := c.until("node"); e.data["many"] != float64(len(ids)) || e.data["nodes"] != nil {
		t.Errorf("got %+v", e)
	}
}

func TestAStreamOverHTTP2LivesOn(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) {
		c.Streams.Heartbeat, c.Streams.Write = 100*time.Millisecond, 20*time.Millisecond
	})
	srv := httptest.NewUnstartedServer(w.server.Handler())
	srv.Config = w.server.HTTPServer(nil)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c := w.listenWith(srv.Client(), srv.URL, w.tokens["viewer"], "")
	for range 5 {
		if _, ok := c.block(); !ok {
			t.Fatal("the stream ended between two beats")
		}
	}
}
