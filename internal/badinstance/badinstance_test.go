package badinstance

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func hash(text []byte) (string, error) { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)), nil }

const good = `{"a":{"module":"log"}}`

// answer is what a client saw.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (a answer) member(name string) any {
	var m map[string]any
	if json.Unmarshal(a.body, &m) != nil {
		return nil
	}
	return m[name]
}

func (a answer) String() string { return fmt.Sprintf("%d %.200s, %v", a.status, a.body, a.err) }

// send speaks to an instance as Drover should: no redirects, a time-out.
func send(s *Server, limit time.Duration, method, path, body string) answer {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(s.CA))
	client := http.Client{
		Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}},
	}
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text, err}
}

func push(s *Server, limit time.Duration, config string) answer {
	return send(s, limit, http.MethodPost, Update, `{"type":"webhooks","config":`+config+`,"version":"3","source":"drover"}`)
}

const long = 20 * time.Second

func TestAGoodInstanceKeepsWhatItIsGivenAndNotesWhatCame(t *testing.T) {
	s := Start(t, Config{Token: "t", Hash: hash})
	if a := push(s, long, good); a.status != http.StatusOK || a.member("status") != "success" || a.member("instance_id") != "bad-1" || a.member("version") != "3" {
		t.Fatalf("config-update: %v", a)
	}
	want, _ := hash([]byte(good))
	if a := send(s, long, http.MethodGet, Version, ""); a.member("webhooks_version") != want || a.member("last_reload") == nil {
		t.Errorf("config-version: %v", a)
	}
	if a := send(s, long, http.MethodGet, Info, ""); a.member("webhooks_count") != 1. || a.member("config_version") != want || a.member("instance_id") != "bad-1" {
		t.Errorf("instance-info: %v", a)
	}
	if a := push(s, long, `{"a":{}}`); a.status != http.StatusBadRequest || a.member("status") != "error" || s.Written("webhooks") != `{"a":{}}` || s.Running("webhooks") != good {
		t.Errorf("a refusal: %v; written %s, running %s", a, s.Written("webhooks"), s.Running("webhooks"))
	}
	if a := send(s, long, http.MethodPost, Reload, ""); a.status != http.StatusBadRequest {
		t.Errorf("a reload of what was refused: %v", a)
	}
	got := s.Requests(Update)
	if len(s.Requests()) != 5 || len(got) != 2 || got[0].Authorization != "Bearer t" || got[0].Update.Version != "3" ||
		got[0].Update.Source != "drover" || got[0].Update.Type != "webhooks" || string(got[1].Update.Config) != `{"a":{}}` || got[1].Time.Before(got[0].Time) {
		t.Errorf("noted: %+v", got)
	}
	s.Forget()
	if len(s.Requests()) != 0 {
		t.Error("Forget forgot nothing")
	}
	s.Set("webhooks", `{"b":{"chain":[]}}`)
	if a := send(s, long, http.MethodGet, Version, ""); a.member("webhooks_version") == want {
		t.Errorf("drift does not show: %v", a)
	}
}

// Each behaviour is seen by a client as what it is called.
func TestEachBehaviourIsWhatItIsCalled(t *testing.T) {
	for name, c := range map[string]struct {
		what  Behaviour
		limit time.Duration
		seen  func(answer) bool
		runs  string // afterwards
	}{
		"hang":        {Hang(), 300 * time.Millisecond, func(a answer) bool { return errors.Is(a.err, context.DeadlineExceeded) }, ""},
		"slow":        {Slow(300 * time.Millisecond), long, func(a answer) bool { return a.status == http.StatusOK }, good},
		"drip":        {Drip(10 * time.Millisecond), 300 * time.Millisecond, func(a answer) bool { return a.status == http.StatusOK && a.err != nil && len(a.body) > 2 }, ""},
		"redirect":    {Redirect(http.StatusTemporaryRedirect, "http://192.0.2.1"), long, func(a answer) bool { return a.status == 307 && a.header.Get("Location") == "http://192.0.2.1"+Update }, ""},
		"huge":        {Huge(1 << 20), long, func(a answer) bool { return len(a.body) >= 1<<20 && a.member("status") == "success" }, ""},
		"garbage":     {Garbage(), long, func(a answer) bool { return a.status == http.StatusOK && !json.Valid(a.body) }, ""},
		"error 200":   {ErrorAs200("no"), long, func(a answer) bool { return a.status == http.StatusOK && a.member("error") == "no" }, ""},
		"500":         {Status(500), long, func(a answer) bool { return a.status == 500 }, ""},
		"retry after": {RetryAfter(429, 7), long, func(a answer) bool { return a.status == 429 && a.header.Get("Retry-After") == "7" }, ""},
		"busy":        {Busy(), long, func(a answer) bool { return a.status == 400 && a.member("error") == "Reload already in progress" }, ""},
		"refuse":      {Refuse("not today"), long, func(a answer) bool { return a.status == 400 && a.member("error") == "not today" }, ""},
		"lie":         {Lie(), long, func(a answer) bool { return a.status == 200 && a.member("status") == "success" }, ""},
		"identity":    {Identity("other"), long, func(a answer) bool { return a.status == 200 && a.member("instance_id") == "other" }, good},
		"reset":       {Reset(), long, func(a answer) bool { return errors.Is(a.err, syscall.ECONNRESET) }, ""},
		"drop after":  {DropAfter(), long, func(a answer) bool { return errors.Is(a.err, io.ErrUnexpectedEOF) && a.status == 200 }, good},
		"drop before": {DropBefore(), long, func(a answer) bool { return errors.Is(a.err, io.ErrUnexpectedEOF) && a.status == 200 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, Config{Hash: hash})
			s.Behave(c.what)
			if a := push(s, c.limit, good); !c.seen(a) {
				t.Errorf("seen: %v", a)
			}
			if s.Running("webhooks") != c.runs {
				t.Errorf("it runs %q, want %q", s.Running("webhooks"), c.runs)
			}
			if (name == "busy" || name == "refuse") && s.Written("webhooks") != good {
				t.Errorf("written is %q", s.Written("webhooks"))
			}
			s.Behave()
			if a := push(s, long, good); a.status != http.StatusOK {
				t.Errorf("good again: %v", a)
			}
		})
	}
}

func TestABehaviourCanBeNarrowed(t *testing.T) {
	s := Start(t, Config{Hash: hash})
	s.Behave(Status(503).Times(2).On(Update), Status(500).On(Info), Busy().For(time.Nanosecond))
	for i, want := range []int{503, 503, 200} {
		if a := push(s, long, good); a.status != want {
			t.Errorf("push %d: %v", i+1, a)
		}
	}
	if a := send(s, long, http.MethodGet, Info, ""); a.status != 500 {
		t.Errorf("info: %v", a)
	}
	if a := send(s, long, http.MethodGet, Version, ""); a.status != 200 {
		t.Errorf("version: %v", a)
	}
}

func TestWhatHangsIsCutOffByTheNextBehaviour(t *testing.T) {
	s := Start(t, Config{Hash: hash})
	s.Behave(Hang())
	answers := make(chan answer, 1)
	go func() { answers <- push(s, long, good) }()
	s.AwaitRequests(t, long, 1, Update)
	s.Behave()
	if a := <-answers; a.err == nil || errors.Is(a.err, context.DeadlineExceeded) {
		t.Errorf("seen: %v", a)
	}
}

func TestADeadInstanceRefusesConnectionsAndComesBack(t *testing.T) {
	s := Start(t, Config{Hash: hash})
	push(s, long, good)
	s.Stop()
	if a := push(s, long, good); !errors.Is(a.err, syscall.ECONNREFUSED) {
		t.Errorf("stopped: %v", a)
	}
	s.Stop() // twice is as good as once
	s.Resume(t)
	if a := send(s, long, http.MethodGet, Version, ""); a.member("webhooks_version") == nil {
		t.Errorf("resumed: %v", a)
	}
}

func TestCertificates(t *testing.T) {
	for c, fails := range map[Certificate]func(error) bool{
		Valid:     func(err error) bool { return err == nil },
		OtherName: func(err error) bool { return errors.As(err, new(x509.HostnameError)) },
		Expired: func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == x509.Expired
		},
	} {
		s := Start(t, Config{Hash: hash, TLS: c})
		if a := push(s, long, good); !fails(a.err) {
			t.Errorf("certificate %d: %v", c, a)
		}
		s.CA = "" // a client that does not know the authority
		if a := push(s, long, good); a.err == nil {
			t.Errorf("certificate %d is taken from an unknown authority", c)
		}
	}
	s := Start(t, Config{Hash: hash, TLS: Valid})
	s.Behave(Reset())
	if a := push(s, long, good); a.err == nil {
		t.Errorf("reset over TLS: %v", a)
	}
}

func TestTokens(t *testing.T) {
	s := Start(t, Config{Hash: hash, Token: "t", OpenInfo: true})
	for _, c := range []struct {
		path, authorization string
		status              int
	}{{Update, "", 401}, {Update, "Bearer x", 401}, {Update, "t", 200}, {Update, "Bearer t", 200}, {Info, "", 200}, {Version, "", 200}} {
		method := http.MethodGet
		if c.path == Update {
			method = http.MethodPost
		}
		req, err := http.NewRequest(method, s.URL+c.path, bytes.NewReader([]byte(`{"type":"webhooks","config":`+good+`}`)))
		if err != nil {
			t.Fatal(err)
		}
		if c.authorization != "" {
			req.Header.Set("Authorization", c.authorization)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s with %q: %s", c.path, c.authorization, resp.Status)
		}
	}
}
