package discovery

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/droverhq/drover/push/instance"
)

const aclToken = "b1gs33cr3t-4f1c-canary"

func hooks() map[string][]registered {
	return map[string][]registered{"hooks": {
		{node: "n1", address: "10.0.0.1", id: "hooks-1", port: 8000, tags: []string{"eu", "v2"}},
		{node: "n2", address: "10.0.0.2", id: "hooks-1", service: "hooks-2.internal", port: 8001, tags: []string{"eu"}, critical: true},
		{node: "n3", address: "fd00::3", id: "hooks-3", port: 8000, tags: []string{"us"}},
	}}
}

func consulSource(address string) Source {
	return Source{ID: "consul", Kind: KindConsul, Consul: Consul{Address: address, Service: "hooks"}}
}

func TestConsulFindsTheInstancesOfAService(t *testing.T) {
	n1, n2, n3 := "consul-10.0.0.1-8000 http://10.0.0.1:8000", "consul-hooks-2.internal-8001 http://hooks-2.internal:8001", "consul-fd00--3-8000 http://[fd00::3]:8000"
	for _, c := range []struct {
		name   string
		change func(*Consul)
		path   string
		want   []string
	}{
		{"catalogue", func(*Consul) {}, "/v1/catalog/service/hooks", []string{n1, n3, n2}},
		{"one tag", func(c *Consul) { c.Tags = []string{"eu"} }, "/v1/catalog/service/hooks", []string{n1, n2}},
		{"both tags", func(c *Consul) { c.Tags = []string{"v2", "eu"} }, "/v1/catalog/service/hooks", []string{n1}},
		{"passing", func(c *Consul) { c.Passing = true }, "/v1/health/service/hooks", []string{n1, n3}},
		{"passing with a tag", func(c *Consul) { c.Passing, c.Tags = true, []string{"us"} }, "/v1/health/service/hooks", []string{n3}},
		{"datacenter", func(c *Consul) { c.Datacenter = "dc1" }, "/v1/catalog/service/hooks", []string{n1, n3, n2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &catalogue{token: aclToken, services: hooks(), datacenter: "dc1"}
			_, address := serveConsul(t, server)
			s := consulSource(address)
			c.change(&s.Consul)
			found, err := newFinder(t, Config{}).Find(t.Context(), s, Secrets{Consul: instance.NewToken(aclToken)})
			if err != nil || !slices.Equal(show(found), c.want) || server.last.URL.Path != c.path {
				t.Errorf("%v, %v from %s; want %v", show(found), err, server.last.URL, c.want)
			}
		})
	}
}

func TestConsulTakesTheTemplateAndNoMeta(t *testing.T) {
	_, address := serveConsul(t, &catalogue{services: hooks(), namespace: "team"})
	s := consulSource(address)
	s.Consul.Namespace, s.Consul.InstanceScheme = "team", "https"
	s.Template = Template{Prefix: "eu", Labels: map[string]string{"site": "eu"}}
	found, err := newFinder(t, Config{}).Find(t.Context(), s, Secrets{})
	want := Found{"eu-10.0.0.1-8000", "https://10.0.0.1:8000", map[string]string{"site": "eu"}, nil}
	if err != nil || len(found) != 3 || !reflect.DeepEqual(found[0], want) {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestConsulTellsEmptyFromFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		server *catalogue
		empty  bool
		says   string
	}{
		{"no such service", &catalogue{}, true, "has no instance"},
		{"no token", &catalogue{token: "other"}, false, "403 Forbidden (a token with service:read"},
		{"no leader", &catalogue{services: hooks(), leaderless: true}, false, "no leader"},
		{"filtered", &catalogue{services: hooks(), filtered: true}, false, "may not read"},
		{"another namespace", &catalogue{services: hooks(), namespace: "x"}, false, "Enterprise feature"},
		{"no port", &catalogue{services: map[string][]registered{"hooks": {{node: "n1", address: "10.0.0.1"}}}}, false, "10.0.0.1:0"},
		{"no address", &catalogue{services: map[string][]registered{"hooks": {{node: "n1", port: 1}}}}, false, "neither a host name"},
		{"an address that is none", &catalogue{services: map[string][]registered{"hooks": {{service: "a b/c", port: 1}}}}, false, "has an instance at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, passing := range []bool{false, true} {
				_, address := serveConsul(t, c.server)
				s := consulSource(address)
				s.Consul.Passing = passing
				found, err := newFinder(t, Config{}).Find(t.Context(), s, Secrets{Consul: instance.NewToken(aclToken)})
				if err == nil || errors.Is(err, ErrEmpty) != c.empty || !strings.Contains(err.Error(), c.says) || found != nil {
					t.Errorf("passing=%v: %v, %v", passing, found, err)
				}
				if err != nil && strings.Contains(err.Error(), aclToken) {
					t.Errorf("shows the token: %v", err)
				}
			}
		})
	}
}

func TestConsulThatMisbehavesIsAFailure(t *testing.T) {
	release := make(chan struct{})
	var followed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer other.Close()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, "invalid character"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "EOF"},
		{"an object", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }, "cannot unmarshal"},
		{"an empty entry", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "[null]") }, "entry"},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `[{"Node":"n1"},`) }, "EOF"},
		{"500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "No cluster leader", 500) }, "500 Internal Server Error: No cluster leader"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, 302) }, "302 Found"},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "[")
			for range maxCatalogue / (64 << 10) {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
			io.WriteString(w, "]")
		}, "larger than 16 MiB"},
		{"silent", func(http.ResponseWriter, *http.Request) { <-release }, "gave no answer within 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.answer)
			defer server.Close()
			config := Config{}
			if c.name == "silent" {
				config.Timeout = 100 * time.Millisecond
				defer close(release)
			}
			_, err := newFinder(t, config).Find(t.Context(), consulSource(strings.TrimPrefix(server.URL, "http://")), Secrets{Consul: instance.NewToken(aclToken)})
			if err == nil || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 2*maxText {
				t.Errorf("%v", err)
			}
		})
	}
	if followed.Load() {
		t.Error("a redirect was followed, with the token")
	}
}

func TestTheEnvironmentChangesNothingAtConsul(t *testing.T) {
	elsewhere := &catalogue{}
	_, other := serveConsul(t, elsewhere)
	file := filepath.Join(t.TempDir(), "token")
	for name, value := range map[string]string{
		"CONSUL_HTTP_ADDR": other, "CONSUL_HTTP_TOKEN": "from-the-environment", "CONSUL_HTTP_TOKEN_FILE": file, "CONSUL_HTTP_AUTH": "user:password",
		"CONSUL_NAMESPACE": "theirs", "CONSUL_PARTITION": "theirs", "CONSUL_HTTP_SSL": "true", "CONSUL_HTTP_SSL_VERIFY": "false", "HTTP_PROXY": "http://" + other,
	} {
		t.Setenv(name, value)
	}
	server := &catalogue{services: hooks()}
	_, address := serveConsul(t, server)
	// First the token's file is not there.
	for range 2 {
		if _, err := newFinder(t, Config{}).Find(t.Context(), consulSource(address), Secrets{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("from-a-file"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if elsewhere.last != nil {
		t.Error("another Consul was asked")
	}
	sent := fmt.Sprint(server.last.Header, server.last.URL)
	for _, foreign := range []string{"from-", "theirs", "Authorization", "X-Consul-Token"} {
		if strings.Contains(sent, foreign) {
			t.Errorf("sent %s", sent)
		}
	}
}

func TestConsulIsReachedUnderTheRules(t *testing.T) {
	server := &catalogue{services: hooks()}
	_, address := serveConsul(t, server)
	_, err := strict(t).Find(t.Context(), consulSource(address), Secrets{})
	if err == nil || !strings.Contains(err.Error(), "instances.allow") || server.last != nil {
		t.Errorf("an address that is not allowed: %v", err)
	}

	secure := httptest.NewUnstartedServer(server)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	s := consulSource(strings.TrimPrefix(secure.URL, "https://"))
	s.Consul.Scheme = "https"
	f := newFinder(t, Config{})
	if _, err := f.Find(t.Context(), s, Secrets{}); err == nil || !strings.Contains(err.Error(), "certificate") || server.last != nil {
		t.Errorf("a certificate of an unknown authority: %v", err)
	}
	s.Consul.TLS.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	if found, err := f.Find(t.Context(), s, Secrets{}); err != nil || len(found) != 3 {
		t.Errorf("a certificate of the CA: %v, %v", found, err)
	}
}
