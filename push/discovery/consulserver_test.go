package discovery

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// registered is one instance in the catalogue of a test.
type registered struct {
	node, address string // of the node
	id, service   string // address: of the service, may be empty
	port          int
	tags          []string
	critical      bool
}

// catalogue answers as Consul 1.2x does: the same paths, parameters, headers,
// bodies and errors.
type catalogue struct {
	token      string
	namespace  string
	datacenter string
	services   map[string][]registered
	leaderless bool // still answers, from what it knew
	filtered   bool // by ACLs
	last       *http.Request
}

func serveConsul(t *testing.T, c *catalogue) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return s, strings.TrimPrefix(s.URL, "http://")
}

func (c *catalogue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.last = r
	query := r.URL.Query()
	if c.token != "" && r.Header.Get("X-Consul-Token") != c.token {
		http.Error(w, `Permission denied: token with AccessorID '00000000-0000-0000-0000-000000000002' lacks permission 'service:read' on "hooks" (given `+
			r.Header.Get("X-Consul-Token")+`)`, http.StatusForbidden)
		return
	}
	if dc := query.Get("dc"); dc != "" && dc != c.datacenter {
		http.Error(w, "No path to datacenter", http.StatusInternalServerError)
		return
	}
	if ns := query.Get("ns"); ns != c.namespace {
		http.Error(w, `Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature`, http.StatusBadRequest)
		return
	}
	name, health := strings.CutPrefix(r.URL.Path, "/v1/health/service/")
	if !health {
		var ok bool
		if name, ok = strings.CutPrefix(r.URL.Path, "/v1/catalog/service/"); !ok || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
	}
	_, passing := query["passing"]
	list := []any{} // Consul writes [], never null
	for _, one := range c.services[name] {
		wanted := !passing || !one.critical
		for _, tag := range query["tag"] {
			wanted = wanted && slices.Contains(one.tags, tag)
		}
		if wanted {
			list = append(list, one.entry(name, health))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Consul-Index", "42")
	w.Header().Set("X-Consul-Lastcontact", "0")
	w.Header().Set("X-Consul-Knownleader", map[bool]string{true: "false", false: "true"}[c.leaderless])
	w.Header().Set("X-Consul-Effective-Consistency", "leader")
	if c.filtered {
		w.Header().Set("X-Consul-Results-Filtered-By-Acls", "true")
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (r registered) entry(name string, health bool) any {
	type object = map[string]any
	node := object{
		"ID": "40e4a748-2192-161a-0510-9bf59fe950b5", "Node": r.node, "Address": r.address, "Datacenter": "dc1",
		"TaggedAddresses": object{"lan": r.address, "wan": r.address}, "CreateIndex": 7, "ModifyIndex": 9,
	}
	if !health {
		node["NodeMeta"], node["ServiceKind"], node["ServiceID"], node["ServiceName"] = object{"consul-network-segment": ""}, "", r.id, name
		node["ServiceTags"], node["ServiceAddress"], node["ServicePort"] = r.tags, r.service, r.port
		node["ServiceWeights"], node["ServiceMeta"] = object{"Passing": 1, "Warning": 1}, object{"role": "not a label"}
		node["ServiceEnableTagOverride"], node["ServiceProxy"], node["ServiceConnect"] = false, object{"Mode": ""}, object{}
		return node
	}
	status := map[bool]string{true: "critical", false: "passing"}[r.critical]
	node["Meta"] = object{"consul-network-segment": ""}
	return object{
		"Node": node,
		"Service": object{
			"ID": r.id, "Service": name, "Tags": r.tags, "Address": r.service, "Meta": object{"role": "not a label"}, "Port": r.port,
			"Weights": object{"Passing": 1, "Warning": 1}, "EnableTagOverride": false, "CreateIndex": 7, "ModifyIndex": 9,
		},
		"Checks": []object{{"Node": r.node, "CheckID": "service:" + r.id, "Status": status, "ServiceID": r.id, "ServiceName": name}},
	}
}
