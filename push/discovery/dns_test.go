package discovery

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/droverhq/drover/fsm"
)

func dnsSource(resolver, name, kind string) Source {
	s := Source{ID: "k8s", Kind: KindDNS, DNS: DNS{Name: name, Type: kind, Resolver: resolver, Port: 8000}}
	if kind == TypeSRV {
		s.DNS.Port = 0
	}
	return s
}

func TestDNSFindsOneInstancePerRecord(t *testing.T) {
	var many, all []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("10.0.%d.%d", i/250, i%250+1))
		all = append(all, fmt.Sprintf("k8s-%s-8000 http://%s:8000", many[i], many[i]))
	}
	slices.Sort(all)
	server := serveZone(t, zone{
		"hooks.default.svc.cluster.local. A":    {records: addresses("10.0.0.2", "10.0.0.1", "10.0.0.2")},
		"hooks.default.svc.cluster.local. AAAA": {records: addresses("2001:db8::2", "fd00::1")},
		"_http._tcp.hooks. SRV":                 {records: []dnsmessage.ResourceBody{service(8001, "b.hooks."), service(8000, "a.hooks."), service(8000, "a.hooks.")}},
		"many.hooks. A":                         {records: addresses(many...), truncated: true},
	})
	f := newFinder(t, Config{})
	for _, c := range []struct {
		name, kind string
		want       []string
	}{
		{"hooks.default.svc.cluster.local.", "", []string{"k8s-10.0.0.1-8000 http://10.0.0.1:8000", "k8s-10.0.0.2-8000 http://10.0.0.2:8000"}},
		{"hooks.default.svc.cluster.local.", TypeAAAA,
			[]string{"k8s-2001-db8--2-8000 http://[2001:db8::2]:8000", "k8s-fd00--1-8000 http://[fd00::1]:8000"}},
		{"_http._tcp.hooks.", TypeSRV, []string{"k8s-a.hooks-8000 http://a.hooks:8000", "k8s-b.hooks-8001 http://b.hooks:8001"}},
		{"many.hooks.", TypeA, all},
	} {
		found, err := f.Find(t.Context(), dnsSource(server.address, c.name, c.kind), Secrets{})
		if err != nil || !slices.Equal(show(found), c.want) {
			t.Errorf("%s %s: %v, %v; want %v", c.name, c.kind, show(found), err, c.want)
		}
		for _, one := range found {
			if err := fsm.ValidNodeID(one.Key); err != nil {
				t.Error(err)
			}
		}
	}
	if server.streams.Load() == 0 {
		t.Error("a truncated answer was not asked for again over TCP")
	}
}

func TestDNSAsksThePeersOwnResolver(t *testing.T) {
	// In the hosts file of every machine, which that resolver reads first. It needs
	// no leave of the allow-list: the machine was set up with it.
	found, err := strict(t).Find(t.Context(), dnsSource("", "localhost", TypeA), Secrets{})
	if err != nil || !slices.Contains(show(found), "k8s-127.0.0.1-8000 http://127.0.0.1:8000") {
		t.Errorf("%v, %v", found, err)
	}
}

func TestDNSTakesTheTemplate(t *testing.T) {
	server := serveZone(t, zone{"hooks.test. A": {records: addresses("10.0.0.1", "10.0.0.2")}})
	s := dnsSource(server.address, "hooks.test.", TypeA)
	s.DNS.Scheme, s.DNS.Port = "https", 443
	s.Template = Template{Prefix: "eu", Path: "/hooks/", Labels: map[string]string{"site": "eu"}, Accepts: []string{"webhooks"}}
	found, err := newFinder(t, Config{}).Find(t.Context(), s, Secrets{})
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	want := Found{"eu-10.0.0.1-443-hooks", "https://10.0.0.1/hooks", map[string]string{"site": "eu"}, []string{"webhooks"}}
	if !reflect.DeepEqual(found[0], want) {
		t.Errorf("got %+v, want %+v", found[0], want)
	}
	found[0].Labels["site"], found[0].Accepts[0] = "x", "x"
	if found[1].Labels["site"] != "eu" || found[1].Accepts[0] != "webhooks" || s.Template.Labels["site"] != "eu" {
		t.Error("instances share what the template gives them")
	}
}

func TestDNSTellsEmptyFromFailure(t *testing.T) {
	server := serveZone(t, zone{
		"empty.test. A":    {},
		"other.test. AAAA": {records: addresses("2001:db8::1")},
		"none.test. SRV":   {records: []dnsmessage.ResourceBody{service(0, ".")}},
		"broken.test. A":   {rcode: dnsmessage.RCodeServerFailure},
		"refused.test. A":  {rcode: dnsmessage.RCodeRefused},
		"silent.test. A":   {silent: true},
		"cut.test. A":      {truncated: true, rcode: dnsmessage.RCodeServerFailure},
		"bad.test. SRV":    {records: []dnsmessage.ResourceBody{service(8000, "a.test."), service(8000, "-/b.test.")}},
		"zero.test. SRV":   {records: []dnsmessage.ResourceBody{service(0, "a.test.")}},
		"unused.test. SRV": {},
	})
	for _, c := range []struct {
		name, kind string
		empty      bool
		says       string
	}{
		{"missing.test.", TypeA, true, "does not exist or has no such record"},
		{"missing.test.", TypeSRV, true, "does not exist or has no such record"},
		{"empty.test.", TypeA, true, "does not exist or has no such record"},
		{"other.test.", TypeA, true, "does not exist or has no such record"},
		{"unused.test.", TypeSRV, true, "names no instance"},
		{"none.test.", TypeSRV, true, "names no instance"},
		{"broken.test.", TypeA, false, "server misbehaving"},
		{"refused.test.", TypeA, false, "server misbehaving"},
		{"cut.test.", TypeA, false, "server misbehaving"},
		{"silent.test.", TypeA, false, "gave no answer within 300ms"},
		{"bad.test.", TypeSRV, false, "invalid"},
		{"zero.test.", TypeSRV, false, "1 to 65535"},
	} {
		config := Config{}
		if c.name == "silent.test." {
			config.Timeout = 300 * time.Millisecond
		}
		found, err := newFinder(t, config).Find(t.Context(), dnsSource(server.address, c.name, c.kind), Secrets{})
		if err == nil || errors.Is(err, ErrEmpty) != c.empty || !strings.Contains(err.Error(), c.says) || found != nil {
			t.Errorf("%s %s: %v, %v", c.name, c.kind, found, err)
		}
	}
}

func TestDNSThatIsNotThereIsAFailure(t *testing.T) {
	for name, s := range map[string]Source{
		"no server":   dnsSource("127.0.0.1:1", "hooks.test.", TypeA),
		"not allowed": dnsSource("10.255.255.1:53", "hooks.test.", TypeA),
	} {
		_, err := newFinder(t, Config{}).Find(t.Context(), s, Secrets{})
		if err == nil || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), "hooks.test.") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "not allowed" && !strings.Contains(err.Error(), "instances.allow") {
			t.Errorf("%s: does not say what to do: %v", name, err)
		}
	}
	server := serveZone(t, zone{"hooks.test. A": {records: addresses("10.0.0.1")}})
	if _, err := strict(t).Find(t.Context(), dnsSource(server.address, "hooks.test.", TypeA), Secrets{}); err == nil {
		t.Error("a resolver at an address that is not allowed was asked")
	}
}

func TestAFinderGivesUpWithItsCaller(t *testing.T) {
	server := serveZone(t, zone{"silent.test. A": {silent: true}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newFinder(t, Config{}).Find(ctx, dnsSource(server.address, "silent.test.", TypeA), Secrets{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}
