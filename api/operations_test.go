package api

import "net/http"

// operation is what the description says of a route.
type operation struct {
	summary string
	query   []string // parameters, each "name: what it is"
	headers []string // names of request headers with a meaning beyond the common ones
	request any      // a value of the type of the body; nil = none
	kinds   []string // media types of the body beside application/json
	answer  any      // likewise; nil = none
	also    any      // another form of the answer
	status  int      // of success; 0 = 200
	media   string   // of the answer; "" = application/json
}

// operations describes the routes for openapi.json, by method and path. Every
// route has one, but for the handlers that are mounted here.
func operations() map[string]operation {
	all := map[string]operation{}
	for _, part := range []map[string]operation{sessionOperations(), documentOperations(), fleetOperations(), instanceOperations(), adminOperations(), healthOperations()} {
		for key, op := range part {
			all[key] = op
		}
	}
	return all
}

const (
	askLimit  = "limit: rows of a page, at most 1000; default 100"
	askCursor = "cursor: next_cursor of the page before"
	askNodes  = "q: words of a name, URL or label, and key=value terms (status, in_sync, connected, peer, document, kind, any label; of instances source and gone)"
)

func sessionOperations() map[string]operation {
	return map[string]operation{
		"POST " + loginPath:   {summary: "Log in. Sets the session cookie. Five failures a minute are allowed to an account and to an address.", request: loginRequest{}, answer: loginAnswer{}},
		"POST /api/v1/logout": {summary: "End the login session.", status: http.StatusNoContent},
		"GET /api/v1/me":      {summary: "Who asks, and what they may do.", answer: meAnswer{}},
		"GET " + eventsPath: {summary: "Follow what changes, as server-sent events: revision, push, node, peer, gap. After a gap, read everything anew.",
			headers: []string{"Last-Event-ID"}, media: "text/event-stream"},
		"GET /api/v1/openapi.json": {summary: "This description.", answer: map[string]any{}},
	}
}

func documentOperations() map[string]operation {
	const one = "/api/v1/documents/:name"
	match, base := []string{"If-Match", "If-None-Match"}, []string{"If-Match"}
	return map[string]operation{
		"GET /api/v1/documents": {summary: "List documents by name.", answer: page[documentRow]{},
			query: []string{askLimit, askCursor, "q: part of a name or a target", "deleted: true lists deleted ones as well"}},
		"GET " + one: {summary: "Read a document. Its ETag is its version.", answer: documentFull{}, query: []string{"deleted: true reads a deleted one as well"}},
		"PUT " + one: {summary: "Write a document, or what else the body names. 201 where it is new. A put that changes nothing commits nothing.",
			request: putRequest{}, answer: writeAnswer{}, headers: match},
		"PATCH " + one: {summary: "Apply a JSON Patch (RFC 6902). Without If-Match it is applied to what is there when it is committed.",
			request: []patchOperation{}, kinds: []string{"application/json-patch+json"}, answer: writeAnswer{}, headers: base},
		"DELETE " + one:                     {summary: "Delete a document. Its history stays, and its numbers go on.", answer: writeAnswer{}, headers: base},
		"GET " + one + "/versions":          {summary: "List the versions of a document, the newest first.", answer: page[versionRow]{}, query: []string{askLimit, askCursor}},
		"GET " + one + "/versions/:version": {summary: "Read a version.", answer: versionFull{}},
		"GET " + one + "/diff":              {summary: "Compare two versions.", answer: diffAnswer{}, query: []string{"from: version; default: the one before to", "to: version; default: the current one"}},
		"POST " + one + "/validate":         {summary: "Tell whether a content could be put, and whom it would reach.", request: validateRequest{}, answer: validateAnswer{}},
		"POST " + one + "/rollback":         {summary: "Make an earlier content current again, as a new version.", request: rollbackRequest{}, answer: writeAnswer{}, headers: base},
		"POST /api/v1/changes":              {summary: "Commit edits of several documents as one revision (commit: true), or tell what they would do (dry_run: true; the answer is then a DryRunAnswer).", request: changeRequest{}, answer: changeAnswer{}, also: dryRunAnswer{}},
		"GET /api/v1/revisions": {summary: "The version log, the newest first.", answer: page[revisionRow]{},
			query: []string{askLimit, askCursor, "after: list what came after this revision, the oldest first"}},
	}
}

// patchOperation is one operation of RFC 6902, for the description only.
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from,omitzero"`
	Value any    `json:"value,omitzero"`
}

func fleetOperations() map[string]operation {
	const push, node = "/api/v1/pushes/:id", "/api/v1/nodes/:id"
	return map[string]operation{
		"GET /api/v1/pushes": {summary: "List pushes, the newest first.", answer: page[pushRow]{},
			query: []string{askLimit, askCursor, "state: running, done, done_with_failures or superseded", "document: name of a document"}},
		"GET " + push: {summary: "Read a push.", answer: pushFull{}},
		"GET " + push + "/targets": {summary: "List the nodes of a push as they are now.", answer: page[targetRow]{},
			query: []string{askLimit, askCursor, "status: of the node", "cause: id of a cause"}},
		"GET " + push + "/causes":   {summary: "Group the failures of a push by cause.", answer: page[causeRow]{}},
		"POST " + push + "/retry":   {summary: "Have the failed nodes of a push try again.", answer: retryAnswer{}},
		"GET /api/v1/fleet":         {summary: "One cell a node, ordered by site and name; 20000 at most, the counts are of all.", answer: fleetAnswer{}, query: []string{"push: of the targets of this push", askNodes}},
		"GET /api/v1/nodes":         {summary: "List nodes.", answer: page[nodeRow]{}, query: []string{askLimit, askCursor, askNodes, "sort: id, site, status, peer, attempts or enrolled; - before it turns it round"}},
		"GET " + node:               {summary: "Read a node.", answer: nodeFull{}},
		"GET " + node + "/why":      {summary: "Why a node does, or does not do, what is desired of it.", answer: whyAnswer{}},
		"PATCH " + node:             {summary: "Set labels; null takes one away.", request: labelRequest{}, answer: nodeFull{}},
		"DELETE " + node:            {summary: "Take a node out; its key is not known any more.", status: http.StatusNoContent},
		"POST " + node + "/resync":  {summary: "Have a node say anew what it holds.", answer: struct{}{}, status: http.StatusAccepted},
		"POST " + node + "/retry":   {summary: "Forget what a node refused and send it what is desired again.", answer: retryAnswer{}},
		"POST /api/v1/nodes/enroll": {summary: "Make an enrolment token. It is shown once.", request: enrollTokenRequest{}, answer: enrollTokenAnswer{}, status: http.StatusCreated},
		"POST /agent/v1/enroll":     {summary: "An agent registers its key; docs/protocol.md says how the proof is made.", request: agentEnroll{}, answer: agentEnrolled{}},
	}
}

func instanceOperations() map[string]operation {
	const all, dead, sources = "/api/v1/instances", "/api/v1/deadletters", "/api/v1/discoveries"
	filters := []string{askNodes, "kind: agent or instance", "document: that fell back", "cause: id of a cause"}
	return map[string]operation{
		"GET " + sources: {summary: "List the sources of instances.", answer: page[discoveryRow]{}, query: []string{askLimit, askCursor}},
		"POST " + sources: {summary: "Add a source of instances: a name in DNS, a service in Consul, or a file. The leader asks it on its interval. Tokens and key are sealed and never shown.",
			request: discoveryRequest{}, answer: discoveryRow{}, status: http.StatusCreated},
		"DELETE " + sources + "/:id": {summary: "Remove a source. Its instances stay, marked as gone.", status: http.StatusNoContent},
		"GET " + all:                 {summary: "List the instances: the nodes that controllers call over HTTP.", answer: page[instanceRow]{}, query: []string{askLimit, askCursor, askNodes}},
		"POST " + all: {summary: "Add an instance. The answer does not wait for it. Token and key are sealed and never shown.",
			request: instanceRequest{}, answer: instanceRow{}, status: http.StatusCreated},
		"GET " + all + "/:id": {summary: "Read an instance.", answer: instanceRow{}},
		"PATCH " + all + "/:id": {summary: "Change an instance; what is absent stays. It is tried again at once. A URL on another host needs the token as well.",
			request: instancePatch{}, answer: instanceRow{}},
		"DELETE " + all + "/:id": {summary: "Forget an instance. What it runs stays. One that a discovery still finds comes back.", status: http.StatusNoContent},
		"POST " + all + "/sync": {summary: "Push to instances whatever they hold, and tell how it went with each. Waits until each has taken it, refused it or could not be reached, or the timeout is over.",
			request: syncRequest{}, answer: syncAnswer{}},
		"GET " + all + "/verify": {summary: "Ask instances which versions they hold, and hold them against what is wanted. One that cannot be asked is not in sync. Answers within 5 s.",
			answer: verifyAnswer{}, query: []string{"document: name; default: every document", "ids: names with commas between; default: all that the document is for"}},
		"GET " + dead:                   {summary: "List the nodes of both kinds that used up their attempts, or refused for good, and wait for a person.", answer: page[deadLetter]{}, query: append([]string{askLimit, askCursor}, filters...)},
		"GET " + dead + "/causes":       {summary: "Group dead letters by cause, the most frequent first.", answer: page[causeRow]{}, query: filters},
		"POST " + dead + "/retry":       {summary: "Send dead letters what is desired again: those of ids, or of one cause.", request: selection{}, answer: retryAnswer{}},
		"POST " + dead + "/discard":     {summary: "Take dead letters off the list until something newer is wanted of them. The nodes stay as they are.", request: selection{}, answer: discardAnswer{}},
		"GET " + dead + "/:id":          {summary: "Read the dead letter of a node.", answer: deadLetterFull{}},
		"POST " + dead + "/:id/retry":   {summary: "Send a dead letter what is desired again.", answer: retryAnswer{}},
		"POST " + dead + "/:id/discard": {summary: "Take a dead letter off the list.", answer: discardAnswer{}},
	}
}

// agentEnroll and agentEnrolled are the wire's messages, for the description
// only.
type agentEnroll struct {
	Token     string `json:"token"`
	Node      string `json:"node,omitzero"`
	PublicKey string `json:"public_key"`
	Proof     string `json:"proof"`
}

type agentEnrolled struct {
	Node    string   `json:"node"`
	Cluster string   `json:"cluster"`
	Keys    []string `json:"keys"`
	Peers   []string `json:"peers"`
}

func adminOperations() map[string]operation {
	const cluster, audit, users, tokens = "/api/v1/cluster", "/api/v1/audit", "/api/v1/users", "/api/v1/tokens"
	filters := []string{"actor: name", "action: as in node.label, or node for all on nodes", "object: part of it"}
	return map[string]operation{
		"GET " + cluster:                       {summary: "The peers, who leads, and whether there is a quorum.", answer: clusterAnswer{}},
		"POST " + cluster + "/tokens":          {summary: "Invite a new peer. The token is shown once.", answer: invitationAnswer{}, status: http.StatusCreated},
		"POST " + cluster + "/leave":           {summary: "Have a peer leave in order.", request: memberRequest{}, answer: struct{}{}},
		"POST " + cluster + "/transfer-leader": {summary: "Hand the leadership to a peer, or to the one that suits best.", request: memberRequest{}, answer: struct{}{}},
		"POST " + cluster + "/remove":          {summary: "Take out a peer that does not come back.", request: memberRequest{}, answer: struct{}{}},
		"GET " + audit:                         {summary: "List the audit, the newest first.", answer: page[auditRow]{}, query: append([]string{askLimit, askCursor}, filters...)},
		"GET " + audit + "/verify":             {summary: "Check the chain of hashes.", answer: verdict{}},
		"GET " + audit + "/export":             {summary: "The audit as JSON Lines, the oldest first, in the form that the hashes are made over.", query: filters, media: "application/jsonl"},
		"GET " + users:                         {summary: "List users.", answer: page[userRow]{}, query: []string{askLimit, askCursor}},
		"POST " + users:                        {summary: "Create a user.", request: userRequest{}, answer: userRow{}, status: http.StatusCreated},
		"PATCH " + users + "/:user":            {summary: "Change a user's password, role or prefixes. A new password ends the user's sessions.", request: userRequest{}, answer: userRow{}},
		"DELETE " + users + "/:user":           {summary: "Remove a user with its sessions and tokens.", status: http.StatusNoContent},
		"GET " + tokens:                        {summary: "List API tokens.", answer: page[tokenRow]{}, query: []string{askLimit, askCursor}},
		"POST " + tokens:                       {summary: "Make an API token. It is shown once, so a repeated Idempotency-Key answers secret_gone.", request: tokenRequest{}, answer: tokenAnswer{}, status: http.StatusCreated},
		"DELETE " + tokens + "/:id":            {summary: "Revoke an API token.", status: http.StatusNoContent},
	}
}

func healthOperations() map[string]operation {
	return map[string]operation{
		"GET /livez":   {summary: "The process serves.", answer: struct{}{}},
		"GET /readyz":  {summary: "This controller takes any request; 503 tells why not.", answer: readiness{}},
		"GET /leaderz": {summary: "200 on the leader alone, 503 elsewhere.", answer: leadership{}},
		"GET /metrics": {summary: "Metrics for Prometheus.", media: "text/plain"},
	}
}
