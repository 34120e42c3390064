package api

import (
	"fmt"

	"github.com/droverhq/drover/push/instance"
)

// pending is what holds back delivery to a node: drift that a person has to
// look at.
func (q *inquiry) pending() string {
	ord := q.node.Ordinal
	drifted := q.st.Drifted(ord)
	if len(drifted) == 0 || q.row.Drift.Released {
		q.add("held", "delivery to this node is held back", "it goes on by itself when its turn comes")
		return "It waits for its turn."
	}
	again := "drover node resync " + q.node.ID
	if q.node.Instance != nil {
		again = "drover instance sync " + q.node.ID
	}
	for _, target := range drifted {
		name := q.documentOf(target)
		r := q.add("drift", fmt.Sprintf("somebody changed %q on the node: it is not what it accepted", target), "put it back with `"+again+"`, or change the document")
		if r.Document = name; q.reported(name) {
			r.Code, r.Message = "drift_reported", r.Message+"; the policy of the document says that drift is reported, not healed"
		}
	}
	if !q.anyReported(drifted) {
		q.add("drift_often", "it was healed so often in the last hour that something keeps changing it there",
			"find what writes on the node, then heal it with `"+again+"`; in an hour it is healed by itself again")
	}
	return "Somebody changed what it holds, and a person has to decide."
}

// reported tells whether drift of a document is left to a person.
func (q *inquiry) reported(name string) bool {
	d := q.st.Document(name)
	return d != nil && d.ReportsDrift()
}

func (q *inquiry) anyReported(targets []string) bool {
	for _, t := range targets {
		if q.reported(q.documentOf(t)) {
			return true
		}
	}
	return false
}

// notCalled is why an instance is offline.
func (q *inquiry) notCalled() string {
	u := q.row.Unreachable()
	if u == nil {
		q.add("not_called", "it was not called yet, or its controller has just changed",
			"it is called by itself within moments; `drover instance show "+q.node.ID+"` tells by which controller")
		return "It was not called yet."
	}
	q.add(u.Code, fmt.Sprintf("%s (since %s)", u.Message, timeText(u.Time)), q.remedy(instance.Code(u.Code)))
	return "It cannot be called; it keeps what it runs."
}

// remedy is what to do about an instance that cannot be called.
func (q *inquiry) remedy(code instance.Code) string {
	set := "`drover instance set " + q.node.ID
	switch code {
	case instance.CodeUnauthorized:
		return "give the token that it asks for with " + set + " --instance-token-file FILE`"
	case instance.CodeNotAllowed:
		return "add the range of its address to instances.allow of every controller, or correct the URL with " + set + " --url URL`"
	case instance.CodeRedirected:
		return "redirects are not followed: give the URL that it answers at with " + set + " --url URL`"
	case instance.CodeBadSettings:
		return "correct URL, token or TLS settings with " + set + "`"
	case instance.CodeBadAnswer:
		return "see whether " + q.node.Instance.URL + " is an instance, and its /admin endpoints those of the protocol"
	}
	return "see whether it runs and answers at " + q.node.Instance.URL + "; it is tried again by itself"
}

// gone tells that the discovery of an instance does not find it any more.
func (q *inquiry) gone() {
	if in := q.node.Instance; in != nil && in.Gone != 0 {
		q.add("gone", fmt.Sprintf("its discovery %q does not find it since %s", in.Source, timeText(in.Gone)),
			"remove it with `drover instance remove "+q.node.ID+"` if it does not come back")
	}
}
