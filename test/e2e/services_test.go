package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/internal/badinstance"
	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/pyservice"
)

// instanceToken is what every instance of these tests wants.
const instanceToken = "t0ken-of-an-instance"

// TestServicesAreKeptInStep keeps real services of another stack, and one that misbehaves,
// in step with a cluster of three.
func TestServicesAreKeptInStep(t *testing.T) {
	t.Parallel() // the tests of instances mostly wait for time-outs
	f := newFleet(t, 3, "--agents", "1", "--instances", "0", "--empty", "--no-restart")
	f.start()
	services := pyservice.Start(t, 3, pyservice.Options{
		ID: "py", Token: instanceToken, Busy: 2 * time.Second, Modules: []string{"log", "kafka"}, Env: []string{"HOST=db.example.com"},
	})
	bad := badinstance.Start(t, badinstance.Config{ID: "bad", Token: instanceToken, Hash: document.InstanceVersion})
	for _, s := range services {
		register(f, s.ID, s.URL, map[string]string{"kind": "py"})
	}
	register(f, "bad", bad.URL, map[string]string{"kind": "bad"})
	for _, p := range []struct {
		name string
		do   func(*called, *testing.T)
	}{
		{"one change reaches agents and instances", (*called).oneChange},
		{"a refusal goes back to what was accepted", (*called).refusal},
		{"a hung instance delays no other", (*called).hung},
		{"a lie is found out", (*called).lie},
		{"drift is healed", (*called).drift},
		{"a stopped service is not in sync", (*called).stopped},
		{"placeholders leave a version unverified", (*called).placeholders},
		{"another peer takes over", (*called).takeover}, // the last: it kills a peer
	} {
		t.Run(p.name, func(t *testing.T) {
			here := *f
			here.t = t
			p.do(&called{&here, services, bad}, t)
			bad.Behave()
		})
	}
}

// called is what the parts of TestServicesAreKeptInStep share.
type called struct {
	*fleet
	services []*pyservice.Service
	bad      *badinstance.Server
}

func register(f *fleet, id, url string, labels map[string]string) {
	f.t.Helper()
	body := map[string]any{"id": id, "url": url, "token": instanceToken, "labels": labels}
	if _, err := f.client().Send(f.t.Context(), http.MethodPost, client.Path("instances"), body, nil); err != nil {
		f.t.Fatal(err)
	}
}

// write puts the webhooks of the services or of the bad instance, and returns
// the push.
func (c *called) write(kind, content string) string {
	c.t.Helper()
	body := map[string]any{"content": json.RawMessage(content), "target": "webhooks", "selector": "kind=" + kind}
	var w client.Written
	if _, err := c.client().Send(c.t.Context(), http.MethodPut, client.Path("documents", kind+"/webhooks"), body, &w); err != nil {
		c.t.Fatal(err)
	}
	return w.Push
}

// instanceView is an instance as the API shows it.
type instanceView struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	InSync    bool   `json:"in_sync"`
	Owner     string `json:"owner"`
	LastError *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"last_error"`
	Unreachable *struct {
		Code string `json:"code"`
	} `json:"unreachable"`
	Documents []struct {
		Target     string `json:"target"`
		Unverified bool   `json:"unverified"`
	} `json:"documents"`
}

func (c *called) show(id string) (instanceView, error) {
	var v instanceView
	_, err := c.client().Get(c.t.Context(), client.Path("instances", id), nil, &v)
	return v, err
}

// becomes waits until an instance is shown as something.
func (c *called) becomes(id, what string, is func(instanceView) bool) {
	c.t.Helper()
	c.eventually(40*time.Second, id+" is "+what, func() error {
		v, err := c.show(id)
		if err == nil && !is(v) {
			err = fmt.Errorf("%+v, %+v", v, v.LastError)
		}
		return err
	})
}

func synced(v instanceView) bool { return v.InSync && v.Status == "acked" }

func (c *called) allSynced() {
	c.t.Helper()
	for _, s := range c.services {
		c.becomes(s.ID, "in sync", synced)
	}
}

// verified is the answer to verify, by id.
type verified struct {
	InSync    bool `json:"in_sync"`
	Instances []struct {
		ID         string `json:"id"`
		InSync     bool   `json:"in_sync"`
		Unverified bool   `json:"unverified"`
		Wanted     string `json:"wanted"`
		Reported   string `json:"reported"`
		Error      any    `json:"error"`
	} `json:"instances"`
}

func (c *called) verify(name string) verified {
	c.t.Helper()
	var v verified
	began := time.Now()
	a, err := c.client().Do(c.t.Context(), client.Request{
		Method: http.MethodGet, Path: client.Path("instances", "verify"), Query: url.Values{"document": {name}}, Wait: 10 * time.Second,
	})
	if err == nil {
		err = a.Decode(&v)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if took := time.Since(began); took > 6*time.Second { // 5 s are promised; a machine may be busy
		c.t.Errorf("verify answered after %s", took)
	}
	return v
}

// holds waits until the file of a service is a content.
func (c *called) holds(s *pyservice.Service, content string) {
	c.t.Helper()
	c.eventually(40*time.Second, s.ID+" has "+content, func() error {
		if text := s.File(c.t, "webhooks"); !sameJSON(text, content) {
			return fmt.Errorf("it has %s", text)
		}
		return nil
	})
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func (c *called) oneChange(t *testing.T) {
	const hooks = `{"a":{"module":"log"},"b":{"chain":[{"module":"log"}]}}`
	body := map[string]any{"message": "both kinds", "commit": true, "edits": []any{
		map[string]any{"document": "py/webhooks", "op": "put", "content": json.RawMessage(hooks), "target": "webhooks", "selector": "kind=py"},
		map[string]any{"document": "plain", "op": "put", "content": map[string]int{"n": 1}},
	}}
	var w client.Written
	if _, err := c.client().Send(t.Context(), http.MethodPost, client.Path("changes"), body, &w); err != nil {
		t.Fatal(err)
	}
	c.arrives(20*time.Second, "plain", 1)
	for _, s := range c.services {
		c.holds(s, hooks)
	}
	c.allSynced()
	var p client.Push
	if _, err := c.client().Get(t.Context(), client.Path("pushes", w.Push), nil, &p); err != nil || p.Counts.Acked != 4 {
		t.Errorf("the push: %+v, %v", p, err)
	}
	want, err := document.InstanceVersion([]byte(hooks))
	if err != nil {
		t.Fatal(err)
	}
	v := c.verify("py/webhooks")
	if !v.InSync || len(v.Instances) != 3 {
		t.Errorf("verify: %+v", v)
	}
	for _, i := range v.Instances {
		if !i.InSync || i.Unverified || i.Wanted != want || i.Reported != want || i.Error != nil {
			t.Errorf("verify: %+v, want %s", i, want)
		}
	}
}

func (c *called) refusal(t *testing.T) {
	const before, after = `{"a":{"module":"log"}}`, `{"a":{"module":"log"},"b":{"module":"karfka"}}`
	c.write("py", before)
	c.allSynced()
	c.write("py", after)
	for _, s := range c.services {
		c.becomes(s.ID, "a dead letter with the service's reason", func(v instanceView) bool {
			return v.Status == "dead_letter" && v.LastError != nil && strings.Contains(v.LastError.Message, "module 'karfka' is not installed")
		})
		c.holds(s, before) // pushed back, through "already in progress"
	}
	c.write("py", before)
	c.allSynced()

	// The same with one that can be watched: the refused content was written, and
	// is replaced; it is not sent again until somebody asks for it.
	c.write("bad", before)
	c.becomes("bad", "in sync", synced)
	c.bad.Forget()
	c.bad.Behave(badinstance.Refuse("no such module").On(badinstance.Update).Times(1))
	c.write("bad", after)
	c.becomes("bad", "a dead letter", func(v instanceView) bool { return v.Status == "dead_letter" })
	c.bad.Await(t, 30*time.Second, "what was accepted is back", func() bool { return c.bad.Written("webhooks") == before })
	if sent := c.sent(after); sent != 1 {
		t.Errorf("what was refused was sent %d times", sent)
	}
	if _, err := c.client().Send(t.Context(), http.MethodPost, client.Path("deadletters", "bad", "retry"), map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	c.becomes("bad", "in sync", synced)
	if c.bad.Running("webhooks") != after {
		t.Errorf("after a retry it runs %s", c.bad.Running("webhooks"))
	}
}

// sent counts the updates of the bad instance with a content.
func (c *called) sent(content string) int {
	n := 0
	for _, r := range c.bad.Requests(badinstance.Update) {
		if sameJSON(string(r.Update.Config), content) {
			n++
		}
	}
	return n
}

func (c *called) hung(t *testing.T) {
	// A document for both kinds, of which one hangs.
	const hooks = `{"hung":{"module":"log"}}`
	c.bad.Behave(badinstance.Hang())
	c.write("bad", hooks)
	c.bad.AwaitRequests(t, 20*time.Second, 1, badinstance.Update)
	began := time.Now()
	c.write("py", hooks)
	c.allSynced()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the others took %s", took)
	}
	v := c.verify("bad/webhooks")
	if v.InSync || len(v.Instances) != 1 || v.Instances[0].InSync || v.Instances[0].Error == nil {
		t.Errorf("verify of one that hangs: %+v", v)
	}
	c.bad.Behave()
	c.becomes("bad", "in sync", synced)
}

func (c *called) lie(t *testing.T) {
	const hooks = `{"lie":{"module":"log"}}`
	c.bad.Behave(badinstance.Lie().On(badinstance.Update))
	c.bad.Forget()
	c.write("bad", hooks)
	c.bad.AwaitRequests(t, 20*time.Second, 1, badinstance.Version)
	if v, err := c.show("bad"); err != nil || synced(v) {
		t.Errorf("it is believed: %+v, %v", v, err)
	}
	if v := c.verify("bad/webhooks"); v.InSync {
		t.Errorf("verify: %+v", v)
	}
	c.bad.Behave()
	c.becomes("bad", "in sync", synced)
}

func (c *called) drift(t *testing.T) {
	const hooks = `{"drift":{"module":"log"}}`
	s := c.services[0]
	c.write("py", hooks)
	c.allSynced()
	if err := os.WriteFile(filepath.Join(s.Dir, "webhooks.json"), []byte(`{"drift":{"module":"kafka"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	c.holds(s, hooks)
	c.becomes(s.ID, "in sync", synced)
}

func (c *called) stopped(t *testing.T) {
	const hooks = `{"stopped":{"module":"log"}}`
	s := c.services[1]
	s.Stop()
	defer s.Restart(t) // for the parts behind, whatever comes
	push := c.write("py", hooks)
	for _, other := range []*pyservice.Service{c.services[0], c.services[2]} {
		c.becomes(other.ID, "in sync", synced)
	}
	c.becomes(s.ID, "shown as unreachable", func(v instanceView) bool {
		return !v.InSync && v.LastError != nil && v.LastError.Code == "unreachable" && v.LastError.Message != ""
	})
	var ids []string
	for _, i := range c.verify("py/webhooks").Instances {
		if !i.InSync && i.Error != nil {
			ids = append(ids, i.ID)
		}
	}
	if !slices.Equal(ids, []string{s.ID}) {
		t.Errorf("not in sync: %v", ids)
	}
	s.Restart(t)
	c.holds(s, hooks)
	c.allSynced()
	var p client.Push
	if _, err := c.client().Get(t.Context(), client.Path("pushes", push), nil, &p); err != nil || p.Counts.Acked != 3 {
		t.Errorf("the push: %+v, %v", p, err)
	}
}

func (c *called) placeholders(t *testing.T) {
	const hooks = `{"a":{"module":"log","url":"https://{$HOST}/{$PATH_OF_IT:in}"}}`
	c.write("py", hooks)
	for _, s := range c.services {
		c.becomes(s.ID, "in sync, unverified", func(v instanceView) bool {
			return synced(v) && slices.ContainsFunc(v.Documents, func(d struct {
				Target     string `json:"target"`
				Unverified bool   `json:"unverified"`
			}) bool {
				return d.Target == "webhooks" && d.Unverified
			})
		})
	}
	v := c.verify("py/webhooks")
	for _, i := range v.Instances {
		if !i.InSync || !i.Unverified || i.Reported == "" || i.Error != nil {
			t.Errorf("verify: %+v", i)
		}
	}
}

func (c *called) takeover(t *testing.T) {
	const hooks = `{"takeover":{"module":"log"}}`
	v, err := c.show(c.services[0].ID)
	if err != nil || v.Owner == "" {
		t.Fatalf("nobody owns it: %+v, %v", v, err)
	}
	for _, p := range c.file().Peers {
		if p.Name == v.Owner {
			signal(t, p.PID, syscall.SIGKILL)
		}
	}
	c.eventually(30*time.Second, "a write is committed", func() error {
		body := map[string]any{"content": json.RawMessage(hooks), "target": "webhooks", "selector": "kind=py"}
		_, err := c.client().Send(t.Context(), http.MethodPut, client.Path("documents", "py/webhooks"), body, nil)
		return err
	})
	for _, s := range c.services {
		c.becomes(s.ID, "in sync by another peer", func(now instanceView) bool { return synced(now) && now.Owner != v.Owner })
		c.holds(s, hooks)
	}
}
