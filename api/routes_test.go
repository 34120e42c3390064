package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/droverhq/drover/fsm"
)

// everyRole is what a route may ask of each role.
var everyRole = []string{"-", "viewer", "editor", "approver", "operator", "admin"}

func TestEveryRouteOfTheRouterIsInTheRoleTable(t *testing.T) {
	w := newWorld(t)
	known := map[string]route{}
	for _, r := range routes() {
		key := r.method + " " + r.path
		if _, twice := known[key]; twice {
			t.Errorf("%s is in the table twice", key)
		}
		known[key] = r
		if _, granted := grants[r.need]; !granted && r.need != permPublic && r.need != permSession {
			t.Errorf("%s needs %q, which nobody has", key, r.need)
		}
		if unsafe(r.method) && r.need != permPublic && r.need != permSession && !r.audited && !strings.HasSuffix(r.path, "/validate") {
			t.Errorf("%s changes something, and its refusals are not audited", key)
		}
		if strings.Contains(r.path, "/documents/:name") != r.document {
			t.Errorf("%s: whether its document lies within the prefixes must be checked", key)
		}
	}
	for _, r := range w.server.echo.Routes() {
		if r.Method == echo.RouteNotFound {
			continue
		}
		if _, found := known[r.Method+" "+r.Path]; !found {
			t.Errorf("%s %s is served, and nobody has classified it", r.Method, r.Path)
		}
		delete(known, r.Method+" "+r.Path)
	}
	for key := range known {
		t.Errorf("%s is in the table and not served", key)
	}
}

// The public routes are listed here once more, so that a route does not become
// one by mistake.
func TestFewRoutesArePublic(t *testing.T) {
	public := map[string]bool{
		"POST /api/v1/login": true, "POST /agent/v1/enroll": true, "GET /agent/v1/connect": true,
		"GET /livez": true, "GET /readyz": true, "GET /leaderz": true,
		"GET /api/v1/openapi.json": true, "GET /": true, "GET /*": true,
	}
	for _, r := range routes() {
		if key := r.method + " " + r.path; (r.need == permPublic) != public[key] {
			t.Errorf("%s: public is %v", key, r.need == permPublic)
		}
	}
}

func TestEveryRouteIsOpenToThoseRolesThatTheTableSays(t *testing.T) {
	w := newWorld(t)
	for _, r := range routes() {
		if r.path == eventsPath || isMounted(r) {
			continue
		}
		path := strings.NewReplacer(":name", "nothing", ":version", "1", ":id", "nothing", ":user", "nobody", "*", "x").Replace(r.path)
		for i, name := range everyRole {
			rec := w.do(request{method: r.method, path: path, as: name})
			allowed := r.need == permPublic || i > 0 && (r.need == permSession || role(i).has(r.need))
			switch refused := rec.Code == http.StatusUnauthorized || rec.Code == http.StatusForbidden; {
			case r.need == permPublic && r.method == post: // their own credentials decide
			case allowed && refused:
				t.Errorf("%s %s refuses %s: %d %s", r.method, r.path, name, rec.Code, rec.Body)
			case !allowed && name == "-" && rec.Code != http.StatusUnauthorized:
				t.Errorf("%s %s answers %d to nobody", r.method, r.path, rec.Code)
			case !allowed && name != "-" && rec.Code != http.StatusForbidden:
				t.Errorf("%s %s answers %d to %s", r.method, r.path, rec.Code, name)
			}
		}
	}
}

func TestRolesGrowAndTheTableOfGrantsIsThatOfTheDesign(t *testing.T) {
	for r := roleViewer; r < roleAdmin; r++ {
		lower, higher := r.permissions(), (r + 1).permissions()
		for _, p := range lower {
			if !(r + 1).has(permission(p)) {
				t.Errorf("%s has %s and %s has not", r, p, r+1)
			}
		}
		if len(higher) < len(lower) {
			t.Errorf("%s has less than %s", r+1, r)
		}
	}
	for p, lowest := range map[permission]role{
		permDocumentsRead: roleViewer, permDocumentsWrite: roleEditor, permNodesWrite: roleOperator,
		permPushesRetry: roleOperator, permNodesEnroll: roleOperator, permUsersWrite: roleAdmin,
		permTokensWrite: roleAdmin, permClusterWrite: roleAdmin,
	} {
		if grants[p] != lowest {
			t.Errorf("%s is for %s and above", p, grants[p])
		}
	}
	if roleAdmin.has("nothing.known") {
		t.Error("an unknown permission is granted")
	}
}

func TestPrefixesCover(t *testing.T) {
	for _, c := range []struct {
		prefix, name string
		want         bool
	}{
		{"routing", "routing", true}, {"routing", "routing/core", true}, {"routing", "routing-2", false},
		{"routing/", "routing", false}, {"routing/", "routing/core", true}, {"*", "x", true},
		{"routing/core", "routing", false}, {"routing/core", "routing/core/x", true}, {"routing", "", false},
	} {
		if got := covers([]string{c.prefix}, c.name); got != c.want {
			t.Errorf("%q covers %q: %v", c.prefix, c.name, got)
		}
	}
	for _, c := range []struct {
		outer, inner []string
		want         bool
	}{
		{nil, nil, true}, {nil, []string{"a"}, true}, {[]string{"a"}, nil, false}, {[]string{"a"}, []string{"a/b", "a"}, true},
		{[]string{"a"}, []string{"a", "b"}, false}, {[]string{"a/"}, []string{"a"}, false}, {[]string{"a/"}, []string{"a/"}, true},
		{[]string{"a"}, []string{"*"}, false}, {[]string{"*"}, []string{"a"}, true}, {[]string{"a"}, []string{"a/"}, true},
	} {
		if got := coversAll(c.outer, c.inner); got != c.want {
			t.Errorf("%q covers all of %q: %v", c.outer, c.inner, got)
		}
	}
}

func TestADocumentOutsideOfThePrefixesIsNeitherReadNorWrittenNorListed(t *testing.T) {
	w := newWorld(t)
	w.put("routing%2Fcore", `{"content":{}}`)
	w.put("vpn", `{"content":{}}`)
	w.tokens["scoped"] = w.token("editor", "admin", "routing")
	list := items(w.want(200, request{method: "GET", path: "/api/v1/documents", as: "scoped"}))
	if len(list) != 1 || list[0]["document"] != "routing/core" {
		t.Errorf("listed %v", list)
	}
	w.want(200, request{method: "PUT", path: "/api/v1/documents/routing%2Fcore", as: "scoped", body: `{"content":{"x":1}}`})
	for _, r := range []request{
		{method: "GET", path: "/api/v1/documents/vpn"},
		{method: "GET", path: "/api/v1/documents/vpn/versions/1"},
		{method: "PUT", path: "/api/v1/documents/vpn", body: `{"content":{}}`},
		{method: "PATCH", path: "/api/v1/documents/vpn", body: `[]`},
		{method: "DELETE", path: "/api/v1/documents/vpn"},
		{method: "POST", path: "/api/v1/documents/vpn/rollback", body: `{"to":1}`},
		{method: "POST", path: "/api/v1/documents/vpn/validate", body: `{"content":{}}`},
		{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"routing/x","op":"put","content":{}},{"document":"vpn","op":"delete"}]}`},
		{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[{"document":"vpn","op":"delete"}]}`},
	} {
		r.as = "scoped"
		w.refused(403, "forbidden", r)
	}
	e := w.audit(func(e *fsm.AuditEntry) bool { return e.Action == "denied" && strings.Contains(e.Object, "vpn") })
	if e.Actor.Name != "t-editor" || e.Outcome != "forbidden" {
		t.Errorf("audited %+v", e)
	}
}
