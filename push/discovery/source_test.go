package discovery

import (
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

func TestASourceIsValidated(t *testing.T) {
	dns := Source{ID: "a", Kind: KindDNS, DNS: DNS{Name: "hooks", Port: 80}}
	consul := Source{ID: "a", Kind: KindConsul, Consul: Consul{Address: "consul:8500", Service: "hooks"}}
	file := Source{ID: "a", Kind: KindFile, File: File{Path: "a/b.yaml"}}
	for _, c := range []struct {
		base   Source
		change func(*Source)
		says   string // empty: valid
	}{
		{dns, func(*Source) {}, ""},
		{dns, func(s *Source) { s.DNS = DNS{Name: "_http._tcp.hooks.example.com.", Type: TypeSRV} }, ""},
		{dns, func(s *Source) { s.DNS.Resolver = "10.0.0.10" }, ""},
		{dns, func(s *Source) { s.DNS.Resolver = "[fd00::1]:5353" }, ""},
		{dns, func(s *Source) { s.DNS.Resolver = "fd00::1" }, ""},
		{dns, func(s *Source) { s.Interval = 5 * time.Second }, ""},
		{dns, func(s *Source) {
			s.Template = Template{Prefix: "eu-1", Path: "/x", Labels: map[string]string{"a": "b"}, Accepts: []string{"webhooks"}}
		}, ""},
		{consul, func(*Source) {}, ""},
		{consul, func(s *Source) { s.Consul.Address = "[::1]:8500"; s.Consul.Scheme = "https" }, ""},
		{file, func(*Source) {}, ""},

		{dns, func(s *Source) { s.ID = "" }, "id: "},
		{dns, func(s *Source) { s.ID = strings.Repeat("a", 61) }, "id: "},
		{dns, func(s *Source) { s.Kind = "etcd" }, `kind: "etcd" is none`},
		{dns, func(s *Source) { s.Interval = time.Second }, "interval: 1s is not within 5s"},
		{dns, func(s *Source) { s.Interval = -time.Second }, "interval: "},
		{dns, func(s *Source) { s.Interval = 25 * time.Hour }, "interval: "},
		{dns, func(s *Source) { s.DNS.Name = "" }, "dns.name: "},
		{dns, func(s *Source) { s.DNS.Name = "a/b" }, "dns.name: "},
		{dns, func(s *Source) { s.DNS.Name = "a:80" }, "dns.name: "},
		{dns, func(s *Source) { s.DNS.Name = "10.0.0.1" }, "dns.name: "},
		{dns, func(s *Source) { s.DNS.Name = "u@a" }, "dns.name: "},
		{dns, func(s *Source) { s.DNS.Port = 0 }, "dns.port: 0"},
		{dns, func(s *Source) { s.DNS.Port = 65536 }, "dns.port: 65536"},
		{dns, func(s *Source) { s.DNS.Type = TypeSRV }, "dns.port: SRV"},
		{dns, func(s *Source) { s.DNS.Type = "TXT" }, `dns.type: "TXT"`},
		{dns, func(s *Source) { s.DNS.Scheme = "ftp" }, "dns.scheme: "},
		{dns, func(s *Source) { s.DNS.Resolver = "a:b" }, "dns.resolver: "},
		{dns, func(s *Source) { s.DNS.Resolver = "a/b:53" }, "dns.resolver: "},
		{dns, func(s *Source) { s.Template.Prefix = "a b" }, "template.prefix: "},
		{dns, func(s *Source) { s.Template.Path = "x" }, "template.path: "},
		{dns, func(s *Source) { s.Template.Path = "/x?y" }, "template.path: "},
		{dns, func(s *Source) { s.Template.Path = ":80/" }, "template.path: "},
		{dns, func(s *Source) { s.Template.Labels = map[string]string{"a b": "c"} }, "template.labels: "},
		{dns, func(s *Source) { s.Template.Accepts = []string{"a", "B"} }, "template.accepts[1]: "},
		{consul, func(s *Source) { s.Consul.Address = "" }, "consul.address: "},
		{consul, func(s *Source) { s.Consul.Address = "unix:///run/consul" }, "consul.address: "},
		{consul, func(s *Source) { s.Consul.Address = "http://consul:8500" }, "consul.address: "},
		{consul, func(s *Source) { s.Consul.Address = "consul:8500/x" }, "consul.address: "},
		{consul, func(s *Source) { s.Consul.Address = "u:p@consul" }, "consul.address: "},
		{consul, func(s *Source) { s.Consul.Scheme = "unix" }, "consul.scheme: "},
		{consul, func(s *Source) { s.Consul.TLS.CA = "x" }, "consul.tls: "},
		{consul, func(s *Source) { s.Consul.Service = "" }, "consul.service: "},
		{consul, func(s *Source) { s.Consul.Service = "../../kv/secret" }, "consul.service: "},
		{consul, func(s *Source) { s.Consul.Service = ".." }, "consul.service: "},
		{consul, func(s *Source) { s.Consul.Service = "a?recurse" }, "consul.service: "},
		{consul, func(s *Source) { s.Consul.Datacenter = "a&b" }, "consul.datacenter: "},
		{consul, func(s *Source) { s.Consul.Namespace = "a b" }, "consul.namespace: "},
		{consul, func(s *Source) { s.Consul.Tags = []string{"a", ""} }, "consul.tags[1]: "},
		{consul, func(s *Source) { s.Consul.InstanceScheme = "x" }, "consul.instance_scheme: "},
		{file, func(s *Source) { s.File.Path = "/etc/passwd" }, "file.path: "},
		{file, func(s *Source) { s.File.Path = "a/../../b" }, "file.path: "},
		{file, func(s *Source) { s.File.Path = "" }, "file.path: "},
	} {
		s := c.base
		c.change(&s)
		switch err := s.Validate(); {
		case c.says == "" && err != nil:
			t.Errorf("%+v: %v", s, err)
		case c.says != "" && (err == nil || !strings.HasPrefix(err.Error(), c.says)):
			t.Errorf("%v; want %q", err, c.says)
		}
	}
	if dns.Every() != 30*time.Second || (Source{Interval: time.Minute}).Every() != time.Minute {
		t.Error("the interval is wrong")
	}
}

func TestKeysAreValidNamesAndDistinct(t *testing.T) {
	long := strings.Repeat("a", 60)
	seen := map[string]string{}
	for _, text := range []string{
		"http://10.0.0.1", "https://10.0.0.1", "http://10.0.0.1:8000", "http://[::1]:8000", "http://[::]:8000", "http://[fe80::]:8000", "http://[2001:db8::1:0:0:1]", "http://a.b.",
		"http://a/%7E", "http://a/x_", "http://" + long + "." + long + "." + long, "http://" + long + "." + long + "." + long + ":81",
	} {
		url, err := instance.ParseURL(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{"a", long} {
			key := keyOf(prefix, url)
			if err := fsm.ValidNodeID(key); err != nil {
				t.Error(err)
			}
			if other, twice := seen[key]; twice {
				t.Errorf("%s and %s are both %s", url, other, key)
			}
			if keyOf(prefix, url) != key {
				t.Errorf("%s has two keys", url)
			}
			seen[key] = url
		}
	}
	if got := keyOf("eu", "https://[2001:db8::1]/x/y"); got != "eu-2001-db8--1-443-x-y" {
		t.Error(got)
	}
}

func TestWhatIsAmbiguousIsRefused(t *testing.T) {
	a, b := Found{Key: "x", URL: "http://a/b-c"}, Found{Key: "x", URL: "http://a/b/c"}
	if found, err := settle([]Found{b, a}); err == nil || !strings.Contains(err.Error(), "http://a/b-c and http://a/b/c") {
		t.Errorf("%v, %v", found, err)
	}
	if found, err := settle([]Found{a, a}); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	many := make([]Found, maxFound+1)
	for i := range many {
		many[i] = Found{Key: strings.Repeat("x", i%200+1) + string(rune('a'+i/200)), URL: "u"}
	}
	if _, err := settle(many); err == nil || !strings.Contains(err.Error(), "10000 are allowed") {
		t.Errorf("%v", err)
	}
}
