package api

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

// routes is the role table: every route, who may use it, whether a refusal is
// recorded, and what it does. A test walks the router and fails on a route
// that is not in here; another holds openapi.json against it.
func routes() []route {
	return concat(sessionRoutes(), documentRoutes(), pushRoutes(), nodeRoutes(),
		instanceRoutes(), deadLetterRoutes(), clusterRoutes(), auditRoutes(), accessRoutes(), otherRoutes())
}

func concat(tables ...[]route) (all []route) {
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}

func sessionRoutes() []route {
	return []route{
		{method: post, path: loginPath, need: permPublic, handle: (*Server).login},
		{method: post, path: "/api/v1/logout", need: permSession, handle: (*Server).logout},
		{method: get, path: "/api/v1/me", need: permSession, handle: (*Server).me},
	}
}

func documentRoutes() []route {
	const one = "/api/v1/documents/:name"
	return []route{
		{method: get, path: "/api/v1/documents", need: permDocumentsRead, handle: (*Server).listDocuments},
		{method: get, path: one, need: permDocumentsRead, document: true, handle: (*Server).getDocument},
		{method: put, path: one, need: permDocumentsWrite, document: true, audited: true, handle: (*Server).putDocument},
		{method: patch, path: one, need: permDocumentsWrite, document: true, audited: true, handle: (*Server).patchDocument},
		{method: remove, path: one, need: permDocumentsWrite, document: true, audited: true, handle: (*Server).deleteDocument},
		{method: get, path: one + "/versions", need: permDocumentsRead, document: true, handle: (*Server).listVersions},
		{method: get, path: one + "/versions/:version", need: permDocumentsRead, document: true, handle: (*Server).getVersion},
		{method: get, path: one + "/diff", need: permDocumentsRead, document: true, handle: (*Server).diffVersions},
		{method: post, path: one + "/validate", need: permDocumentsRead, document: true, handle: (*Server).validateDocument},
		{method: post, path: "/api/v1/changes", need: permDocumentsWrite, audited: true, handle: (*Server).postChange},
		{method: get, path: "/api/v1/revisions", need: permDocumentsRead, handle: (*Server).listRevisions},
		{method: post, path: one + "/rollback", need: permDocumentsWrite, document: true, audited: true, handle: (*Server).rollbackDocument},
	}
}

func pushRoutes() []route {
	const one = "/api/v1/pushes/:id"
	return []route{
		{method: get, path: "/api/v1/pushes", need: permPushesRead, handle: (*Server).listPushes},
		{method: get, path: one, need: permPushesRead, handle: (*Server).getPush},
		{method: get, path: one + "/targets", need: permPushesRead, handle: (*Server).listTargets},
		{method: get, path: one + "/causes", need: permPushesRead, handle: (*Server).listCauses},
		{method: post, path: one + "/retry", need: permPushesRetry, audited: true, handle: (*Server).retryPush},
		{method: get, path: "/api/v1/fleet", need: permNodesRead, handle: (*Server).getFleet},
	}
}

func nodeRoutes() []route {
	const one = "/api/v1/nodes/:id"
	return []route{
		{method: get, path: "/api/v1/nodes", need: permNodesRead, handle: (*Server).listNodes},
		{method: post, path: "/api/v1/nodes/enroll", need: permNodesEnroll, audited: true, handle: (*Server).createEnrollToken},
		{method: post, path: "/agent/v1/enroll", need: permPublic, handle: (*Server).enrollAgent},
		{method: get, path: one, need: permNodesRead, handle: (*Server).getNode},
		{method: get, path: one + "/why", need: permNodesRead, handle: (*Server).whyNode},
		{method: patch, path: one, need: permNodesWrite, audited: true, handle: (*Server).patchNode},
		{method: remove, path: one, need: permNodesWrite, audited: true, handle: (*Server).deleteNode},
		{method: post, path: one + "/resync", need: permNodesWrite, audited: true, handle: (*Server).resyncNode},
		{method: post, path: one + "/retry", need: permNodesWrite, audited: true, handle: (*Server).retryNode},
	}
}

func instanceRoutes() []route {
	const all, one, sources = "/api/v1/instances", "/api/v1/instances/:id", "/api/v1/discoveries"
	return []route{
		{method: get, path: sources, need: permInstancesRead, handle: (*Server).listDiscoveries},
		{method: post, path: sources, need: permInstancesWrite, audited: true, handle: (*Server).createDiscovery},
		{method: remove, path: sources + "/:id", need: permInstancesWrite, audited: true, handle: (*Server).deleteDiscovery},
		{method: get, path: all, need: permInstancesRead, handle: (*Server).listInstances},
		{method: post, path: all, need: permInstancesWrite, audited: true, handle: (*Server).createInstance},
		{method: post, path: all + "/sync", need: permInstancesSync, audited: true, handle: (*Server).syncInstances},
		{method: get, path: all + "/verify", need: permInstancesRead, handle: (*Server).verifyInstances},
		{method: get, path: one, need: permInstancesRead, handle: (*Server).getInstance},
		{method: patch, path: one, need: permInstancesWrite, audited: true, handle: (*Server).patchInstance},
		{method: remove, path: one, need: permInstancesWrite, audited: true, handle: (*Server).deleteInstance},
	}
}

func deadLetterRoutes() []route {
	const all, one = "/api/v1/deadletters", "/api/v1/deadletters/:id"
	return []route{
		{method: get, path: all, need: permDeadRead, handle: (*Server).listDeadLetters},
		{method: get, path: all + "/causes", need: permDeadRead, handle: (*Server).listDeadLetterCauses},
		{method: post, path: all + "/retry", need: permDeadWrite, audited: true, handle: settleMany(retryDead())},
		{method: post, path: all + "/discard", need: permDeadWrite, audited: true, handle: settleMany(discardDead())},
		{method: get, path: one, need: permDeadRead, handle: (*Server).getDeadLetter},
		{method: post, path: one + "/retry", need: permDeadWrite, audited: true, handle: settleOne(retryDead())},
		{method: post, path: one + "/discard", need: permDeadWrite, audited: true, handle: settleOne(discardDead())},
	}
}

func clusterRoutes() []route {
	const all = "/api/v1/cluster"
	return []route{
		{method: get, path: all, need: permClusterRead, handle: (*Server).getCluster},
		{method: post, path: all + "/tokens", need: permClusterWrite, audited: true, handle: (*Server).createJoinToken},
		{method: post, path: all + "/leave", need: permClusterWrite, audited: true, handle: changeMembers("leave")},
		{method: post, path: all + "/transfer-leader", need: permClusterWrite, audited: true, handle: changeMembers("transfer-leader")},
		{method: post, path: all + "/remove", need: permClusterWrite, audited: true, handle: changeMembers("remove")},
	}
}

func auditRoutes() []route {
	const all = "/api/v1/audit"
	return []route{
		{method: get, path: all, need: permAuditRead, audited: true, handle: (*Server).listAudit},
		{method: get, path: all + "/verify", need: permAuditRead, audited: true, handle: (*Server).verifyAudit},
		{method: get, path: all + "/export", need: permAuditRead, audited: true, handle: (*Server).exportAudit},
	}
}

func accessRoutes() []route {
	const users, tokens = "/api/v1/users", "/api/v1/tokens"
	return []route{
		{method: get, path: users, need: permUsersRead, audited: true, handle: (*Server).listUsers},
		{method: post, path: users, need: permUsersWrite, audited: true, handle: (*Server).createUser},
		{method: patch, path: users + "/:user", need: permUsersWrite, audited: true, handle: (*Server).patchUser},
		{method: remove, path: users + "/:user", need: permUsersWrite, audited: true, handle: (*Server).deleteUser},
		{method: get, path: tokens, need: permTokensRead, audited: true, handle: (*Server).listTokens},
		{method: post, path: tokens, need: permTokensWrite, audited: true, handle: (*Server).createToken},
		{method: remove, path: tokens + "/:id", need: permTokensWrite, audited: true, handle: (*Server).deleteToken},
	}
}

// anyPath is the UI's: it knows its own pages.
const anyPath = "/*"

// eventsPath is the one route whose answer has no end.
const eventsPath = "/api/v1/events"

func otherRoutes() []route {
	agents := mounted(func(s *Server) http.Handler { return s.deps.Agents })
	ui := func(s *Server, c *call) error {
		for _, ours := range []string{"/api", "/agent"} {
			if path := c.Request().URL.Path; path == ours || strings.HasPrefix(path, ours+"/") {
				return echo.ErrNotFound
			}
		}
		return mounted(func(s *Server) http.Handler { return s.deps.UI })(s, c)
	}
	return []route{
		{method: get, path: eventsPath, need: permEventsRead, handle: (*Server).getEvents},
		{method: get, path: "/livez", need: permPublic, handle: (*Server).livez},
		{method: get, path: "/readyz", need: permPublic, handle: (*Server).readyz},
		{method: get, path: "/leaderz", need: permPublic, handle: (*Server).leaderz},
		{method: get, path: "/metrics", need: permMetricsRead, handle: mounted(func(s *Server) http.Handler { return s.metrics.handler })},
		{method: get, path: "/api/v1/openapi.json", need: permPublic, handle: (*Server).getOpenAPI},
		{method: get, path: "/agent/v1/connect", need: permPublic, handle: agents},
		{method: get, path: "/", need: permPublic, handle: ui},
		{method: get, path: anyPath, need: permPublic, handle: ui},
	}
}
