package instance

import (
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestTheGuardPermits(t *testing.T) {
	for _, c := range []struct {
		allow []netip.Prefix
		addr  string
		want  bool
	}{
		{nil, "93.184.216.34", true},
		{nil, "2606:2800:220:1::1", true},
		{nil, "::ffff:93.184.216.34", true},
		{nil, "127.0.0.1", false},
		{nil, "127.255.0.9", false},
		{nil, "::1", false},
		{nil, "::ffff:127.0.0.1", false},
		{nil, "::127.0.0.1", false},
		{nil, "0.0.0.0", false},
		{nil, "::", false},
		{nil, "10.1.2.3", false},
		{nil, "172.31.255.255", false},
		{nil, "172.32.0.1", true},
		{nil, "192.168.0.1", false},
		{nil, "100.64.0.1", false},
		{nil, "100.128.0.1", true},
		{nil, "169.254.169.254", false},
		{nil, "::ffff:169.254.169.254", false},
		{nil, "64:ff9b::169.254.169.254", false},
		{nil, "2002:a9fe:a9fe::1", false},
		{nil, "2001:0:1::1", false},
		{nil, "fe80::1", false},
		{nil, "fe80::1%lo", false},
		{nil, "fd00::1", false},
		{nil, "fd00:ec2::254", false},
		{nil, "ff02::1", false},
		{nil, "224.0.0.1", false},
		{nil, "255.255.255.255", false},
		{nil, "198.18.0.1", false},
		{nil, "203.0.113.9", false},
		{nil, "2001:db8::1", false},
		{prefixes("10.0.0.0/8"), "10.1.2.3", true},
		{prefixes("10.0.0.0/8"), "::ffff:10.1.2.3", true},
		{prefixes("10.0.0.0/8"), "192.168.0.1", false},
		{prefixes("10.0.0.0/8"), "169.254.169.254", false},
		{prefixes("::ffff:10.0.0.0/104"), "10.1.2.3", true},
		{prefixes("::ffff:10.0.0.0/104"), "11.1.2.3", true},
		{prefixes("::ffff:10.0.0.0/104"), "127.0.0.1", false},
		{prefixes("169.254.0.0/16"), "169.254.169.254", true},
		{prefixes("fe80::/10"), "fe80::1%eth0", true},
		{prefixes("fc00::/7"), "fd12::1", true},
		{prefixes("127.0.0.9/8"), "127.1.1.1", true},
		{prefixes("::1/128"), "127.0.0.1", false},
		{prefixes("224.0.0.0/4"), "224.0.0.1", true},
		{prefixes("::/0"), "10.1.2.3", false},
	} {
		if got := newGuard(c.allow).permits(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s with %v: %v", c.addr, c.allow, got)
		}
	}
	if newGuard(nil).permits(netip.Addr{}) {
		t.Error("no address is permitted")
	}
}

func TestTheResolvedAddressIsChecked(t *testing.T) {
	var called atomic.Bool
	target := serve(t, func(http.ResponseWriter, *http.Request) { called.Store(true) })
	c := newClient(t, Rules{Allow: prefixes("10.0.0.0/8")})
	_, port, _ := strings.Cut(strings.TrimPrefix(target.URL, "http://"), ":")
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]"} {
		target.URL = "http://" + host + ":" + port
		_, err := c.Update(t.Context(), target, webhooks())
		e := failureOf(t, err)
		if e.Code != CodeNotAllowed || e.Retryable || !strings.Contains(e.Message, "instances.allow") {
			t.Errorf("%s: %+v", host, e)
		}
	}
	if called.Load() {
		t.Error("an address that is not allowed was called")
	}
	_, err := newClient(t, Rules{}).Info(t.Context(), Target{URL: "http://localhost:" + port})
	if e := failureOf(t, err); e.Code != CodeBadAnswer || !called.Load() {
		t.Errorf("an allowed one was not: %+v", e)
	}
}

func TestTheEnvironmentsProxyIsNotUsed(t *testing.T) {
	var proxied atomic.Bool
	proxy := serve(t, func(http.ResponseWriter, *http.Request) { proxied.Store(true) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	_, err := newClient(t, Rules{}).Info(t.Context(), Target{URL: "http://192.0.2.1"})
	if e := failureOf(t, err); e.Code != CodeNotAllowed || proxied.Load() {
		t.Errorf("got %+v, through the proxy: %v", e, proxied.Load())
	}
}

func TestUnreachable(t *testing.T) {
	c := newClient(t, Rules{})
	for url, says := range map[string]string{
		"http://127.0.0.1:1":               "connection refused",
		"http://no-such-name.invalid:8000": `"no-such-name.invalid" does not resolve`,
	} {
		_, err := c.Info(t.Context(), Target{URL: url})
		if e := failureOf(t, err); e.Code != CodeUnreachable || !e.Retryable || !strings.Contains(e.Message, says) {
			t.Errorf("%s: %+v", url, e)
		}
	}
}
