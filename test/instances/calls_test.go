package instances

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/internal/badinstance"
	"github.com/droverhq/drover/internal/pyservice"
	"github.com/droverhq/drover/push/instance"
)

const (
	secret = "a-secret-of-the-test"
	good   = `{"a":{"module":"log"}}`
)

// clientFor may call loopback, and waits so long for an answer.
func clientFor(t *testing.T, limit time.Duration) *instance.Client {
	t.Helper()
	c := instance.NewClient(instance.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: limit})
	t.Cleanup(c.Close)
	return c
}

const long = 30 * time.Second

func TestDroverGetsOnWithAServiceOfAnotherStack(t *testing.T) {
	ctx := t.Context()
	s := pyservice.Start(t, 1, pyservice.Options{Token: secret, OpenInfo: true, Busy: 2 * time.Second})[0]
	c, to := clientFor(t, long), instance.Target{ID: s.ID, URL: s.URL, Token: instance.NewToken(secret)}

	a, err := c.Update(ctx, to, instance.Update{Type: "webhooks", Config: []byte(good), Version: "7"})
	if err != nil || a.InstanceID != s.ID || a.Version != "7" || a.Timestamp == "" {
		t.Fatalf("update: %+v, %v", a, err)
	}
	want, err := document.InstanceVersion([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Versions(ctx, to)
	if err != nil || v.ByType["webhooks"] != want || v.ByType["connections"] == "" || v.LastReload == "" {
		t.Errorf("versions: %+v, %v", v, err)
	}
	info, err := c.Info(ctx, to)
	if err != nil || info.InstanceID != s.ID || info.Webhooks != 1 || info.Connections != 0 || info.Uptime <= 0 || info.Version == "" || info.Hostname == "" {
		t.Errorf("info: %+v, %v", info, err)
	}
	if open, err := c.Open(ctx, to); err != nil || len(open) != 2 {
		t.Errorf("info and version need no token, found: %v, %v", open, err)
	}

	for _, u := range []struct{ target, config, reason string }{
		{"webhooks", `{"a":{"modul":"log"}}`, "'a' is missing required field 'module or chain'"},
		{"webhooks", good, "already in progress"},
	} {
		_, err := c.Update(ctx, to, instance.Update{Type: u.target, Config: []byte(u.config), Version: "8"})
		var e *instance.Error
		if busy := u.config == good; !errors.As(err, &e) || e.Busy != busy || (e.Code == instance.CodeRefused) == busy || e.Retryable != busy || !strings.Contains(e.Error(), u.reason) {
			t.Errorf("%s %s: %#v", u.target, u.config, err)
		}
	}
	wrong := to
	wrong.Token = instance.NewToken("another")
	_, err = c.Update(ctx, wrong, instance.Update{Type: "webhooks", Config: []byte(good), Version: "9"})
	if e := (*instance.Error)(nil); !errors.As(err, &e) || e.Code != instance.CodeUnauthorized || e.Retryable {
		t.Errorf("a wrong token: %#v", err)
	}
	s.Pause(t)
	_, err = clientFor(t, 300*time.Millisecond).Info(ctx, to)
	if e := (*instance.Error)(nil); !errors.As(err, &e) || e.Code != instance.CodeTimeout {
		t.Errorf("paused: %#v", err)
	}
	s.Stop()
	_, err = c.Info(ctx, to)
	if e := (*instance.Error)(nil); !errors.As(err, &e) || e.Code != instance.CodeUnreachable {
		t.Errorf("stopped: %#v", err)
	}
}

// Each way to misbehave has its word, and only a refusal speaks against the
// content.
func TestEachMisbehaviourHasItsWord(t *testing.T) {
	const wait = 400 * time.Millisecond // where the instance takes longer than one should wait
	for name, c := range map[string]struct {
		what      badinstance.Behaviour
		limit     time.Duration
		code      instance.Code
		retryable bool
		after     time.Duration
	}{
		"hangs":              {badinstance.Hang(), wait, instance.CodeTimeout, true, 0},
		"drips":              {badinstance.Drip(10 * time.Millisecond), wait, instance.CodeTimeout, true, 0},
		"redirects":          {badinstance.Redirect(http.StatusMovedPermanently, "http://127.0.0.1:1"), long, instance.CodeRedirected, false, 0},
		"redirects the push": {badinstance.Redirect(http.StatusTemporaryRedirect, "http://127.0.0.1:1"), long, instance.CodeRedirected, false, 0},
		"says too much":      {badinstance.Huge(1 << 20), long, instance.CodeBadAnswer, true, 0},
		"says no JSON":       {badinstance.Garbage(), long, instance.CodeBadAnswer, true, 0},
		"says error as 200":  {badinstance.ErrorAs200("no module"), long, instance.CodeRefused, false, 0},
		"refuses":            {badinstance.Refuse("no module"), long, instance.CodeRefused, false, 0},
		"is busy":            {badinstance.Busy(), long, instance.CodeBusy, true, 0},
		"is throttled":       {badinstance.RetryAfter(http.StatusTooManyRequests, 7), long, instance.CodeThrottled, true, 7 * time.Second},
		"is not ready":       {badinstance.RetryAfter(http.StatusServiceUnavailable, 3), long, instance.CodeServerError, true, 3 * time.Second},
		"fails":              {badinstance.Status(http.StatusInternalServerError), long, instance.CodeServerError, true, 0},
		"wants a token":      {badinstance.Status(http.StatusUnauthorized), long, instance.CodeUnauthorized, false, 0},
		"forbids":            {badinstance.Status(http.StatusForbidden), long, instance.CodeUnauthorized, false, 0},
		"resets":             {badinstance.Reset(), long, instance.CodeUnreachable, true, 0},
		"drops the answer":   {badinstance.DropAfter(), long, instance.CodeUnreachable, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := badinstance.Start(t, badinstance.Config{Token: secret, Hash: document.InstanceVersion})
			s.Behave(c.what)
			_, err := clientFor(t, c.limit).Update(t.Context(), instance.Target{ID: s.ID, URL: s.URL, Token: instance.NewToken(secret)},
				instance.Update{Type: "webhooks", Config: []byte(good), Version: "1"})
			var e *instance.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Retryable != c.retryable || e.RetryAfter != c.after || e.Message == "" {
				t.Errorf("%#v, want %s", err, c.code)
			}
			if strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("the error tells the token: %v", err)
			}
			for _, r := range s.Requests() {
				if r.Path != badinstance.Update || r.Authorization != "Bearer "+secret || string(r.Update.Config) != good || r.Update.Source != "drover" {
					t.Errorf("sent: %+v", r)
				}
			}
			if len(s.Requests()) != 1 {
				t.Errorf("%d requests for one call", len(s.Requests()))
			}
		})
	}
}

func TestCertificatesThatDoNotVerifyGetNeitherTokenNorContent(t *testing.T) {
	for certificate, word := range map[badinstance.Certificate]string{badinstance.OtherName: "cannot validate certificate for 127.0.0.1", badinstance.Expired: "expired"} {
		s := badinstance.Start(t, badinstance.Config{Token: secret, Hash: document.InstanceVersion, TLS: certificate})
		to := instance.Target{ID: s.ID, URL: s.URL, Token: instance.NewToken(secret), TLS: instance.TLS{CA: s.CA}}
		_, err := clientFor(t, long).Info(t.Context(), to)
		if e := (*instance.Error)(nil); !errors.As(err, &e) || e.Code != instance.CodeUnreachable || !strings.Contains(e.Message, word) {
			t.Errorf("certificate %d: %v", certificate, err)
		}
		if len(s.Requests()) != 0 {
			t.Errorf("certificate %d: it was sent %+v", certificate, s.Requests())
		}
	}
	s := badinstance.Start(t, badinstance.Config{Token: secret, Hash: document.InstanceVersion, TLS: badinstance.Valid})
	to := instance.Target{ID: s.ID, URL: s.URL, Token: instance.NewToken(secret)}
	_, err := clientFor(t, long).Info(t.Context(), to)
	if e := (*instance.Error)(nil); !errors.As(err, &e) || e.Code != instance.CodeUnreachable || len(s.Requests()) != 0 {
		t.Errorf("an unknown authority: %v", err)
	}
	to.TLS.CA = s.CA
	if info, err := clientFor(t, long).Info(t.Context(), to); err != nil || info.InstanceID != s.ID {
		t.Errorf("its own authority: %+v, %v", info, err)
	}
	// The address is what is checked, whatever the certificate says.
	strict := instance.NewClient(instance.Rules{Timeout: long})
	defer strict.Close()
	if _, err := strict.Info(context.Background(), to); err == nil || len(s.Requests()) != 1 {
		t.Errorf("loopback is called without being allowed: %v", err)
	}
}
