package instances

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/agent/serve"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/push/instance"
)

const agentToken = "a-token-of-some-length"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The agent as instance and the controllers' client are written apart: here they
// talk to each other.

// pair is an instance of the agent's and a controller's client.
type pair struct {
	t      *testing.T
	dir    string
	client *instance.Client
	target instance.Target
}

func agentWith(t *testing.T, c serve.Config, rule *serve.Rule) *pair {
	t.Helper()
	rule.Mode, rule.UID, rule.GID = 0o640, -1, -1
	c.ID, c.Dir, c.Listen, c.Token = "hook-1", t.TempDir(), "127.0.0.1:0", agentToken
	c.Rule = func(string) *serve.Rule { return rule }
	address := make(chan string, 1)
	server := serve.New(c, serve.Deps{Version: "1.2.3", Listen: func(network, on string) (net.Listener, error) {
		l, err := net.Listen(network, on)
		if err == nil {
			address <- l.Addr().String()
		}
		return l, err
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	p := &pair{t: t, dir: c.Dir, client: instance.NewClient(instance.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})}
	t.Cleanup(func() {
		p.client.Close()
		cancel()
		must(t, <-done)
	})
	select {
	case a := <-address:
		p.target = instance.Target{ID: "hook-1", URL: "http://" + a, Token: instance.NewToken(agentToken)}
		if c.Cert != "" {
			ca, err := os.ReadFile(c.Cert)
			must(t, err)
			p.target.URL, p.target.TLS.CA = "https://"+a, string(ca)
		}
	case err := <-done:
		t.Fatal(err)
	}
	// It is busy until it has looked for what a crash left.
	for _, err := p.update("settled", `{"x":1}`); err != nil; _, err = p.update("settled", `{"x":1}`) {
		p.failed(err, instance.CodeBusy)
	}
	return p
}

func (p *pair) update(target, content string) (instance.Answer, error) {
	return p.client.Update(p.t.Context(), p.target, instance.Update{Type: target, Config: []byte(content), Version: "7"})
}

func (p *pair) failed(err error, code instance.Code) *instance.Error {
	p.t.Helper()
	var e *instance.Error
	if !errors.As(err, &e) || e.Code != code {
		p.t.Fatalf("%v, want %s", err, code)
	}
	return e
}

func (p *pair) holds(target, content string) {
	p.t.Helper()
	want, err := document.InstanceVersion([]byte(content))
	must(p.t, err)
	v, err := p.client.Versions(p.t.Context(), p.target)
	must(p.t, err)
	if v.ByType[target] != want || v.LastReload == "" {
		p.t.Errorf("%+v, want %s of %s", v, want, target)
	}
}

func TestAnAgentTakesADocumentAndIsVerified(t *testing.T) {
	p := agentWith(t, serve.Config{}, &serve.Rule{})
	content := `{"b":1.0,"a":{"é":"\u00e9","big":1e22},"list":[1,2.50,null]}`
	a, err := p.update("webhooks", content)
	must(t, err)
	if want, _ := document.InstanceVersion([]byte(content)); a.InstanceID != "hook-1" || a.Version != want {
		t.Errorf("%+v, want %s", a, want)
	}
	if _, err := time.Parse(time.RFC3339, a.Timestamp); err != nil {
		t.Error(err)
	}
	p.holds("webhooks", content)
	_, err = p.update("routing/core", `{"x":1}`)
	must(t, err)
	p.holds("routing/core", `{"x":1}`)
	info, err := p.client.Info(t.Context(), p.target)
	must(t, err)
	host, err := os.Hostname()
	must(t, err)
	if info.InstanceID != "hook-1" || info.Hostname != host || info.Version != "1.2.3" || info.ConfigVersion != "7" || info.Webhooks != 3 ||
		info.Connections != 0 || info.LastReload == "" {
		t.Errorf("%+v", info)
	}
	if text, err := os.ReadFile(filepath.Join(p.dir, "current", "webhooks.json")); err != nil || string(text) != content {
		t.Errorf("%q %v", text, err)
	}
}

func TestWhatAnAgentAnswersIsUnderstood(t *testing.T) {
	rule := &serve.Rule{Timeout: 2 * time.Second}
	p := agentWith(t, serve.Config{Accepts: []string{"webhooks", "settled"}, MaxBytes: 1000}, rule)
	_, err := p.update("webhooks", `{"x":1}`)
	must(t, err)
	var answer http.HandlerFunc
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	t.Cleanup(app.Close)
	rule.Reload = hook.Action{HTTP: &hook.Request{Method: "POST", URL: app.URL}}

	answer = func(w http.ResponseWriter, _ *http.Request) {
		text, err := os.ReadFile(filepath.Join(p.dir, "current", "webhooks.json"))
		if err != nil || string(text) != `{"x":1}` {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"status":"error","error":"no module"}`))
		}
	}
	_, err = p.update("webhooks", `{"x":2}`)
	if e := p.failed(err, instance.CodeRefused); e.Retryable || e.Status != 400 {
		t.Errorf("%+v", e)
	}
	p.holds("webhooks", `{"x":1}`)
	_, err = p.update("webhooks", `{"x":1}`) // what a controller does after a refusal
	must(t, err)

	answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }
	_, err = p.update("webhooks", `{"x":2}`)
	if e := p.failed(err, instance.CodeBusy); !e.Busy || e.RetryAfter == 0 { // no attempt is used up
		t.Errorf("%+v", e)
	}
	p.holds("webhooks", `{"x":1}`)
	for content, code := range map[string]instance.Code{`{}`: instance.CodeRefused, `{"a":{"b":1,"b":2}}`: instance.CodeRefused,
		`{"a":"` + strings.Repeat("x", 1000) + `"}`: instance.CodeTooLarge} {
		_, err = p.update("webhooks", content)
		if e := p.failed(err, code); e.Retryable || e.Message == "" {
			t.Errorf("%+v", e)
		}
	}
	_, err = p.update("routing", `{"x":1}`)
	p.failed(err, instance.CodeRefused)
	p.target.Token = instance.NewToken("another-token-of-some-length")
	_, err = p.update("webhooks", `{"x":1}`)
	p.failed(err, instance.CodeUnauthorized)
}

func TestNothingOfAnAgentIsOpenWithoutTheToken(t *testing.T) {
	p := agentWith(t, serve.Config{}, &serve.Rule{})
	if open, err := p.client.Open(t.Context(), p.target); err != nil || len(open) > 0 {
		t.Errorf("%v %v", open, err)
	}
}

func TestAnAgentThatReloadsIsBusy(t *testing.T) {
	rule := &serve.Rule{Timeout: 30 * time.Second}
	p := agentWith(t, serve.Config{}, rule)
	reached, release := make(chan bool), make(chan bool)
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- true; <-release }))
	t.Cleanup(app.Close)
	rule.Reload = hook.Action{HTTP: &hook.Request{Method: "POST", URL: app.URL}}
	done := make(chan error, 1)
	go func() {
		_, err := p.update("webhooks", `{"x":1}`)
		done <- err
	}()
	<-reached
	_, err := p.update("connections", `{"x":1}`)
	if e := p.failed(err, instance.CodeBusy); !e.Busy || !e.Retryable || e.RetryAfter != time.Second {
		t.Errorf("%+v", e)
	}
	close(release)
	must(t, <-done)
	p.holds("webhooks", `{"x":1}`)
}

func TestAnAgentOverTLS(t *testing.T) {
	other := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(other.Close)
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	pair := other.TLS.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	must(t, err)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	must(t, os.WriteFile(cert, ca, 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	p := agentWith(t, serve.Config{Cert: cert, Key: key}, &serve.Rule{})
	p.holds("settled", `{"x":1}`)
	p.target.TLS.CA = ""
	_, err = p.update("webhooks", `{"x":1}`)
	p.failed(err, instance.CodeUnreachable)
}
