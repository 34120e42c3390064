package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/discovery"
)

const sources = "/api/v1/discoveries"

func TestASourceOfInstancesIsAddedListedAndRemoved(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]discovery.Source{
		`{"id":"d","dns":{"name":"hooks.example","port":8080,"path":"/gate"},"labels":{"role":"webhook"},"interval":"1m"}`: {
			Kind: discovery.KindDNS, DNS: discovery.DNS{Name: "hooks.example", Port: 8080}, Template: discovery.Template{Path: "/gate"}},
		`{"id":"s","type":"dns","dns":{"name":"_hooks._tcp.example","type":"SRV","scheme":"https","resolver":"192.0.2.1"},"prefix":"hook"}`: {
			Kind: discovery.KindDNS, DNS: discovery.DNS{Name: "_hooks._tcp.example", Type: "SRV", Scheme: "https", Resolver: "192.0.2.1"}, Template: discovery.Template{Prefix: "hook"}},
		`{"id":"c","type":"consul","consul":{"address":"127.0.0.1:8500","scheme":"https","service":"hooks","tags":["a"],"datacenter":"x","namespace":"n","passing":true,"instance_scheme":"https","path":"/p"},"accepts":["webhooks"]}`: {
			Kind: discovery.KindConsul, Consul: discovery.Consul{Address: "127.0.0.1:8500", Scheme: "https", Service: "hooks", Tags: []string{"a"}, Datacenter: "x",
				Namespace: "n", Passing: true, InstanceScheme: "https"}, Template: discovery.Template{Path: "/p"}},
		`{"id":"f","type":"file","file":{"path":"hooks.yaml"}}`: {Kind: discovery.KindFile, File: discovery.File{Path: "hooks.yaml"}},
	} {
		got := w.want(201, request{method: "POST", path: sources, body: body, as: "operator"})
		var d *fsm.Discovery
		w.store.View(func(st *fsm.State) { d = st.Discovery(got["id"].(string)) })
		// What is kept is what package push/discovery reads.
		source, err := discovery.Decode(d)
		source.ID, source.Interval, source.Template.Labels, source.Template.Accepts = "", 0, nil, nil
		if err != nil || fmt.Sprintf("%+v", source) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: %+v, %v", body, source, err)
		}
	}
	w.must(fsm.Discovered{ID: "d", Found: []fsm.Found{{Node: "d-1", URL: "http://d-1"}}})
	list := items(w.want(200, request{method: "GET", path: sources, as: "viewer"}))
	if len(list) != 4 || list[0]["id"] != "c" || fmt.Sprint(list[0]["consul"]) != "map[address:127.0.0.1:8500 datacenter:x instance_scheme:https namespace:n passing:true path:/p scheme:https service:hooks tags:[a]]" {
		t.Fatalf("listed %v", list)
	}
	d := list[1]
	if d["found"] != 1.0 || d["instances"] != 1.0 || d["interval"] != "1m0s" || fmt.Sprint(d["dns"]) != "map[name:hooks.example path:/gate port:8080]" ||
		fmt.Sprint(d["labels"]) != "map[role:webhook]" || list[2]["interval"] != "30s" || list[3]["prefix"] != "hook" {
		t.Errorf("listed %v", list)
	}
	first := w.want(200, request{method: "GET", path: sources + "?limit=3"})
	if rest := items(w.want(200, request{method: "GET", path: sources + "?cursor=" + first["next_cursor"].(string)})); len(rest) != 1 || rest[0]["id"] != "s" {
		t.Errorf("the second page: %v", rest)
	}
	w.refused(409, "conflict", request{method: "PATCH", path: hooks + "/d-1", body: `{"accepts":["routing"]}`})
	w.want(204, request{method: "DELETE", path: sources + "/d", as: "operator"})
	w.refused(404, "not_found", request{method: "DELETE", path: sources + "/d"})
	if got := w.want(200, request{method: "GET", path: hooks + "/d-1"}); got["gone"] == nil {
		t.Errorf("the instance of a removed source: %v", got)
	}
	if r := reasonOf(t, w.why("d-1"), "gone"); !strings.Contains(r["message"].(string), `"d"`) {
		t.Errorf("why: %v", r)
	}
	w.refused(409, "conflict", request{method: "POST", path: sources, body: `{"id":"f","file":{"path":"x"}}`})
}

func TestSourcesThatCannotBeAreRefusedWithThePlace(t *testing.T) {
	w := newWorld(t)
	for body, pointer := range map[string]string{
		`{"id":"a"}`: "",
		`{"id":"a","dns":{"name":"x","port":1},"file":{"path":"x"}}`:           "",
		`{"id":"a","type":"file","dns":{"name":"x","port":1}}`:                 "/type",
		`{"id":"a b","file":{"path":"x"}}`:                                     "/id",
		`{"id":"manual","file":{"path":"x"}}`:                                  "/id",
		`{"id":"a","interval":"1s","file":{"path":"x"}}`:                       "/interval",
		`{"id":"a","interval":"often","file":{"path":"x"}}`:                    "/interval",
		`{"id":"a","dns":{"name":"x"}}`:                                        "/dns/port",
		`{"id":"a","dns":{"name":"x y","port":1}}`:                             "/dns/name",
		`{"id":"a","dns":{"name":"x","port":1,"path":"gate"}}`:                 "/dns/path",
		`{"id":"a","consul":{"address":"a:1","service":""}}`:                   "/consul/service",
		`{"id":"a","consul":{"address":"a:1","service":"s","tags":[""]}}`:      "/consul/tags/0",
		`{"id":"a","consul":{"address":"a:1","service":"s","has_token":true}}`: "/consul/has_token",
		`{"id":"a","consul":{"address":"a:1","service":"s","token":"a b"}}`:    "/consul/token",
		`{"id":"a","file":{"path":"/etc/passwd"}}`:                             "/file/path",
		`{"id":"a","file":{"path":"x"},"prefix":"-"}`:                          "/prefix",
		`{"id":"a","file":{"path":"x"},"accepts":["a","B"]}`:                   "/accepts/1",
		`{"id":"a","file":{"path":"x"},"labels":{"a b":"c"}}`:                  "/labels",
		`{"id":"a","file":{"path":"x"},"token":"a b"}`:                         "/token",
		`{"id":"a","file":{"path":"x"},"tls":{"ca":"x"}}`:                      "/tls/ca",
	} {
		rec := w.do(request{method: "POST", path: sources, body: body})
		got := object(t, rec)
		if p, _ := got["pointer"].(string); rec.Code != 422 || p != pointer || got["detail"] == "" {
			t.Errorf("%s: %d %v", body, rec.Code, got)
		}
	}
	if list := items(w.want(200, request{method: "GET", path: sources})); len(list) != 0 {
		t.Errorf("kept %v", list)
	}
}

func TestNoSecretOfASourceIsEverShown(t *testing.T) {
	w := newWorld(t)
	const token, acl = "hook-secret-0815", "consul-secret-4711"
	r := request{method: "POST", path: sources, header: map[string]string{"Idempotency-Key": "k"},
		body: `{"id":"a","token":"` + token + `","consul":{"address":"a:1","service":"s","token":"` + acl + `"}}`}
	seen := w.do(r).Body.String() + w.do(r).Body.String() + w.do(request{method: "GET", path: sources}).Body.String() +
		w.do(request{method: "GET", path: "/api/v1/audit/export"}).Body.String() + w.log.String()
	if strings.Contains(seen, token) || strings.Contains(seen, acl) || !strings.Contains(seen, `"has_token":true`) {
		t.Errorf("shown: %s", seen)
	}
	w.store.View(func(st *fsm.State) {
		d := st.Discovery("a")
		for sealed, want := range map[string]string{string(d.Token): token, string(d.Secret): acl} {
			if plain, err := w.key.Open("c-1", "instance", []byte(sealed)); err != nil || string(plain) != want {
				t.Errorf("sealed %q, %v", plain, err)
			}
		}
		if strings.Contains(d.Config, acl) {
			t.Errorf("the configuration holds a secret: %s", d.Config)
		}
	})
}
