package api

import (
	"slices"
	"strings"
)

// role is what a user or a token may do: each includes those before it.
type role int

const (
	roleNone role = iota
	roleViewer
	roleEditor
	roleApprover
	roleOperator
	roleAdmin
)

// roleNames are in the order of the roles.
var roleNames = []string{"", "viewer", "editor", "approver", "operator", "admin"}

func (r role) String() string { return roleNames[r] }

// parseRole returns roleNone for a name that is no role.
func parseRole(name string) role { return role(max(0, slices.Index(roleNames, name))) }

// permission is what a route asks for.
type permission string

const (
	permPublic  permission = "public"  // nobody needs to be known
	permSession permission = "session" // anybody who is known

	permDocumentsRead  permission = "documents.read"
	permDocumentsWrite permission = "documents.write"
	permPushesRead     permission = "pushes.read"
	permPushesRetry    permission = "pushes.retry"
	permNodesRead      permission = "nodes.read"
	permNodesWrite     permission = "nodes.write"
	permNodesEnroll    permission = "nodes.enroll"
	permInstancesRead  permission = "instances.read"
	permInstancesWrite permission = "instances.write"
	permInstancesSync  permission = "instances.sync"
	permDeadRead       permission = "deadletters.read"
	permDeadWrite      permission = "deadletters.write"
	permEventsRead     permission = "events.read"
	permClusterRead    permission = "cluster.read"
	permClusterWrite   permission = "cluster.write"
	permAuditRead      permission = "audit.read"
	permMetricsRead    permission = "metrics.read"
	permUsersRead      permission = "users.read"
	permUsersWrite     permission = "users.write"
	permTokensRead     permission = "tokens.read"
	permTokensWrite    permission = "tokens.write"
)

// grants is the lowest role that has each permission.
var grants = map[permission]role{
	permDocumentsRead:  roleViewer,
	permDocumentsWrite: roleEditor,
	permPushesRead:     roleViewer,
	permPushesRetry:    roleOperator,
	permNodesRead:      roleViewer,
	permNodesWrite:     roleOperator,
	permNodesEnroll:    roleOperator,
	permInstancesRead:  roleViewer,
	permInstancesWrite: roleOperator,
	permInstancesSync:  roleOperator,
	permDeadRead:       roleViewer,
	permDeadWrite:      roleOperator,
	permEventsRead:     roleViewer,
	permClusterRead:    roleViewer,
	permClusterWrite:   roleAdmin,
	permAuditRead:      roleViewer,
	permMetricsRead:    roleViewer,
	permUsersRead:      roleAdmin,
	permUsersWrite:     roleAdmin,
	permTokensRead:     roleAdmin,
	permTokensWrite:    roleAdmin,
}

// has tells whether a role has a permission; an unknown one nobody has.
func (r role) has(p permission) bool {
	lowest, known := grants[p]
	return known && r >= lowest
}

// permissions lists what a role may do, sorted.
func (r role) permissions() []string {
	var out []string
	for p := range grants {
		if r.has(p) {
			out = append(out, string(p))
		}
	}
	slices.Sort(out)
	return out
}

// covers tells whether a document lies within prefixes; none are all
// documents. A prefix is a name, which covers itself and what lies below it
// ("routing": routing and routing/core), or ends in "/" and covers only that.
func covers(prefixes []string, name string) bool {
	if len(prefixes) == 0 {
		return true
	}
	return slices.ContainsFunc(prefixes, func(p string) bool {
		if p == "" || p == "*" || p == name {
			return true
		}
		return strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/")
	})
}

// coversAll tells whether whatever inner covers, outer covers too.
func coversAll(outer, inner []string) bool {
	if len(outer) == 0 {
		return true
	}
	return len(inner) > 0 && !slices.ContainsFunc(inner, func(p string) bool {
		return !covers(outer, strings.TrimSuffix(p, "/")) && !slices.Contains(outer, p)
	})
}

// nothingAtAll covers no document: no name begins with a slash.
const nothingAtAll = "/"

// common are prefixes that cover what both cover.
func common(a, b []string) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	var both []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, p := range pair[1] {
			if coversAll(pair[0], []string{p}) && !slices.Contains(both, p) {
				both = append(both, p)
			}
		}
	}
	if len(both) == 0 {
		return []string{nothingAtAll}
	}
	return both
}
