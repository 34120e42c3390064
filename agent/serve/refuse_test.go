package serve

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestWhatIsWrongWithARequestIsSaid(t *testing.T) {
	i := start(t, Config{Accepts: []string{"webhooks", "connections"}, MaxBytes: 1000}, Deps{})
	i.pushed("webhooks", `{"kept":true}`)
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	with := func(content string) string { return pushOf("webhooks", content) }
	cases := []struct {
		name, body    string
		status        int
		code, pointer string
		says          string
	}{
		{"nothing", "", 400, "not_json", "", "empty"},
		{"no JSON", `{"type":`, 400, "not_json", "", "unexpected EOF"},
		{"not UTF-8", with("{\"a\":\"\xff\"}"), 400, "not_json", "/config/a", "UTF-8"},
		{"more after it", with(`{"a":1}`) + "{}", 400, "not_json", "", "after"},
		{"a list", `[]`, 400, "not_object", "", "array"},
		{"a key twice", with(`{"a":1,"b":{"c":1,"c":2}}`), 400, "duplicate_key", "/config/b/c", "twice"},
		{"a type twice", `{"type":"webhooks","type":"x","config":{"a":1}}`, 400, "duplicate_key", "/type", "twice"},
		{"too deep", with(deep(33)), 400, "too_deep", "", "limit of 32"},
		{"inexact", with(`{"a":9007199254740993}`), 400, "inexact_number", "/config/a", "exactly"},
		{"no type", `{"config":{"a":1}}`, 400, "bad_request", "/type", "missing"},
		{"another case", `{"Type":"webhooks","config":{"a":1}}`, 400, "bad_request", "/type", "missing"},
		{"a number as type", `{"type":1,"config":{"a":1}}`, 400, "bad_request", "/type", "not a text"},
		{"a way out", `{"type":"../webhooks","config":{"a":1}}`, 400, "bad_request", "/type", "segment"},
		{"not accepted", `{"type":"routing","config":{"a":1}}`, 400, "bad_request", "/type", "only webhooks, connections"},
		{"no config", `{"type":"webhooks"}`, 400, "bad_request", "/config", "missing"},
		{"null", with("null"), 400, "bad_request", "/config", "not a JSON object"},
		{"text", with(`"{}"`), 400, "bad_request", "/config", "not a JSON object"},
		{"empty", with(" { } "), 400, "bad_request", "/config", "take everything away"},
		{"a number as version", `{"type":"webhooks","config":{"a":1},"version":7}`, 400, "bad_request", "/version", "not a text"},
		{"a long source", `{"type":"webhooks","config":{"a":1},"source":"` + strings.Repeat("x", 201) + `"}`, 400, "bad_request", "/source", "200"},
		{"too large", with(`{"a":"` + strings.Repeat("x", 1000) + `"}`), 413, "too_large", "/config", "1000 are allowed"},
		{"far too large", strings.Repeat(" ", 2*1000+64<<10) + with(`{"a":1}`), 413, "too_large", "", "the request is larger"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := i.call("POST", "/admin/config-update", c.body)
			if s.status != c.status || s.reply.Status != "error" || s.reply.Details.Code != c.code || s.reply.InstanceID == "" ||
				!strings.Contains(s.error(), c.says) || c.pointer != "" && s.reply.Details.Pointer != c.pointer {
				t.Errorf("%d %s; want %d %s %s, %q", s.status, s.text, c.status, c.code, c.pointer, c.says)
			}
		})
	}
	i.holds("webhooks", `{"kept":true}`)
	// Just within the limits.
	i.pushed("webhooks", deep(32))
	i.pushed("connections", `{"a":"`+strings.Repeat("x", 1000-8)+`"}`)
	if s := i.call("POST", "/admin/config-update", `{"type":"webhooks","config":{"a":1},"version":null,"more":[1]}`); s.status != 200 {
		t.Errorf("%d %s", s.status, s.text)
	}
}

func TestEveryCallNeedsTheToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("\nthe-first-of-two-tokens\nthe-second-of-two-tokens\n"), 0o600))
	i := start(t, Config{TokenFile: file}, Deps{})
	i.server.wrong.SetLimit(rate.Inf) // has its own test
	calls := []struct{ method, path, body string }{
		{"POST", "/admin/config-update", pushOf("webhooks", `{"a":1}`)},
		{"POST", "/admin/reload-config", ""}, {"GET", "/admin/instance-info", ""}, {"GET", "/admin/config-version", ""},
	}
	answers := func(want int, headers ...string) {
		t.Helper()
		for _, c := range calls {
			req, err := http.NewRequestWithContext(t.Context(), c.method, i.url+c.path, strings.NewReader(c.body))
			must(t, err)
			req.Header["Authorization"] = headers
			s, err := i.do(req)
			must(t, err)
			if s.status != want || want == 401 && s.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s with %q: %d %s", c.path, headers, s.status, s.text)
			}
		}
	}
	first, second := "the-first-of-two-tokens", "the-second-of-two-tokens"
	answers(401)
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "wrong", first[:len(first)-1], first + "x", "Basic " + first,
		"Bearer Bearer " + first, first + " " + second} {
		answers(401, header)
	}
	answers(401, first, first)
	if i.file("webhooks") != "" {
		t.Error("a push without the token was taken")
	}
	for _, header := range []string{first, "Bearer " + first, "bearer  " + first + " ", "Bearer " + second, second} {
		answers(200, header)
	}
	must(t, os.WriteFile(file, []byte("a-third-and-newer-token"), 0o600))
	answers(401, first)
	answers(200, "a-third-and-newer-token")
	must(t, os.WriteFile(file, []byte("short"), 0o600))
	answers(500, "short")
}

func TestTheRateIsLimited(t *testing.T) {
	clock := time.Now()
	i := start(t, Config{Rate: 2}, Deps{Now: func() time.Time { return clock }})
	status := func(token string) said {
		i.token = token
		return i.call("GET", "/admin/config-version", "")
	}
	for n := range wrongBurst {
		if s := status("wrong"); s.status != 401 {
			t.Fatalf("%d: %d", n, s.status)
		}
	}
	if s := status("wrong"); s.status != 429 || s.header.Get("Retry-After") != "1" {
		t.Errorf("%d %v", s.status, s.header)
	}
	for n := range 4 { // who knocks without the token does not use up what these have
		if s := status(token); s.status != 200 {
			t.Fatalf("%d: %d", n, s.status)
		}
	}
	if s := status(token); s.status != 429 || s.header.Get("Retry-After") != "1" || s.reply.Status != "error" {
		t.Errorf("%d %v", s.status, s.header)
	}
	clock = clock.Add(time.Second)
	for n, want := range []int{200, 200, 429} {
		if s := status(token); s.status != want {
			t.Errorf("%d: %d", n, s.status)
		}
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	i := start(t, Config{}, Deps{})
	for _, c := range [][2]string{{"GET", "/"}, {"GET", "/admin/config-update"}, {"POST", "/admin/instance-info"}, {"DELETE", "/admin/config-version"}, {"GET", "/admin"}} {
		if s := i.call(c[0], c[1], ""); s.status != 404 || !strings.Contains(s.error(), fmt.Sprintf("no %s %s", c[0], c[1])) {
			t.Errorf("%v: %d %s", c, s.status, s.text)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	loose := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(loose, []byte("1\n2\n3\n4\n5\n"), 0o600))
	good := Config{Listen: "127.0.0.1:9443", Token: token}
	cases := []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Listen = "" }, "listen: is missing"},
		{func(c *Config) { c.Listen = "9443" }, `listen: "9443" is not of the form`},
		{func(c *Config) { c.Listen = "127.0.0.1:http2" }, "is not of the form"},
		{func(c *Config) { c.Listen = ":9443" }, "in the clear"},
		{func(c *Config) { c.Listen = "192.0.2.1:9443" }, "in the clear"},
		{func(c *Config) { c.Listen = "[::1]:9443" }, ""},
		{func(c *Config) { c.Listen = "localhost:9443" }, ""},
		{func(c *Config) { c.Cert = "x.pem" }, "cert: cert and key belong together"},
		{func(c *Config) { c.Cert, c.Key = "x.pem", "x.key" }, "cert: open x.pem"},
		{func(c *Config) { c.Token = "" }, "token: is missing"},
		{func(c *Config) { c.TokenFile = loose }, "one is enough"},
		{func(c *Config) { c.Token = "short" }, "at least 16"},
		{func(c *Config) { c.Token = "with a space in the middle" }, "no HTTP header"},
		{func(c *Config) { c.Token, c.TokenFile = "", loose }, "holds 5 tokens"},
		{func(c *Config) { c.Token, c.TokenFile = "", loose+"x" }, "no such file"},
		{func(c *Config) { c.Accepts = []string{"a", "B"} }, "accepts[1]: "},
		{func(c *Config) { c.Rate = -1 }, "rate: is not between"},
		{func(c *Config) { c.MaxBytes = 1 << 30 }, "max_bytes: is not between"},
		{func(c *Config) { c.MaxDepth = 1000 }, "max_depth: is not between"},
		{func(*Config) {}, ""},
	}
	for _, c := range cases {
		config := good
		c.change(&config)
		var found []string
		config.Check(func(key, message string) { found = append(found, key+": "+message) })
		all := strings.Join(found, "\n")
		if (c.want == "") != (all == "") || !strings.Contains(all, c.want) {
			t.Errorf("%q, want %q", all, c.want)
		}
	}
}
