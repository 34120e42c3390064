package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/fsm"
)

// whyAnswer tells why a node does, or does not do, what is desired of it.
type whyAnswer struct {
	Node      string       `json:"node"`
	Status    fsm.Status   `json:"status"`
	InSync    bool         `json:"in_sync"`
	Summary   string       `json:"summary"`
	Reasons   []reason     `json:"reasons"`
	Desired   manifestRow  `json:"desired"`
	Attempted *manifestRow `json:"attempted,omitzero"` // what failed last
	Running   manifestRow  `json:"running"`
}

// reason is one thing that stands between a node and what is desired.
type reason struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Document string `json:"document,omitzero"`
	Pointer  string `json:"pointer,omitzero"`
	Next     string `json:"next,omitzero"` // what a person can do
}

func (s *Server) whyNode(c *call) error {
	var (
		out whyAnswer
		err error
	)
	standing, now := s.deps.Control.Standing(), s.now()
	s.view(c, func(st *fsm.State) {
		var n *fsm.Node
		if n, err = nodeIn(st, c); err == nil {
			out = explain(st, n, standing, now)
		}
	})
	if err != nil {
		return err
	}
	return c.ok(out)
}

// inquiry gathers reasons about one node.
type inquiry struct {
	st       *fsm.State
	node     *fsm.Node
	row      *fsm.Row
	standing Standing
	now      time.Time
	reasons  []reason
}

// explain is the one place that says why a node is as it is.
func explain(st *fsm.State, n *fsm.Node, standing Standing, now time.Time) whyAnswer {
	q := &inquiry{st: st, node: n, row: st.Row(n.Ordinal), standing: standing, now: now}
	status := st.Status(n.Ordinal)
	out := whyAnswer{
		Node: n.ID, Status: status, InSync: st.Converged(n.Ordinal),
		Desired: desiredRow(st.Desired(n.Ordinal)), Running: reportedRow(st, q.row),
	}
	if f := q.row.Failure; f != nil {
		out.Attempted = &manifestRow{Revision: f.Revision, Epoch: f.Tried.Epoch, Index: f.Tried.Index}
	}
	out.Summary = q.summary(status)
	q.gone()
	q.surroundings(status)
	out.Reasons = notNil(q.reasons)
	return out
}

func (q *inquiry) add(code, message, next string) *reason {
	q.reasons = append(q.reasons, reason{Code: code, Message: message, Next: next})
	return &q.reasons[len(q.reasons)-1]
}

// summary is one sentence about a status, and adds the reasons behind it.
func (q *inquiry) summary(status fsm.Status) string {
	switch status {
	case fsm.Acked:
		return q.acked()
	case fsm.InFlight:
		return q.inFlight()
	case fsm.Retrying:
		return q.retrying()
	case fsm.DeadLetter:
		return q.deadLetter()
	case fsm.Offline:
		return q.offline()
	case fsm.Pending:
		return q.pending()
	case fsm.Reverted:
		q.failure("reverted", "the node went back to what it ran before, because the new configuration cut it off", "put a corrected version")
		return "It undid the last update by itself."
	}
	return ""
}

func (q *inquiry) acked() string {
	if len(q.st.Desired(q.node.Ordinal).Entries) == 0 {
		q.add("no_documents", "no document's selector matches the labels of this node", "give it labels that a selector matches, or change a selector")
		return "It is in sync, but no document is for it."
	}
	return "It is in sync: it re-read and hashed what it runs, and that is what is desired."
}

func (q *inquiry) inFlight() string {
	since := q.st.Since(q.node.Ordinal)
	wait := "it is sent and confirmed by itself, within moments"
	switch {
	case !q.row.Known:
		q.add("no_report", "it is connected and has not yet said what it holds", wait)
	case q.row.Reported != q.st.Desired(q.node.Ordinal).Sum:
		q.add("behind", fmt.Sprintf("what it reports is not what is desired since index %d; it has accepted index %d", since, q.row.At.Index), wait)
	case !q.row.Confirmed:
		q.add("unconfirmed", "it holds what is desired, and is still making sure that this works", wait)
	default:
		q.add("index_behind", fmt.Sprintf("it holds what is desired, but has accepted index %d, and what is desired last changed at %d", q.row.At.Index, since), wait)
	}
	return "An update is on its way."
}

func (q *inquiry) retrying() string {
	attempts, limit := q.st.Attempts(q.node.Ordinal), q.st.Settings().Attempts
	q.failure("waiting_retry", fmt.Sprintf("attempt %d of %d failed", attempts, limit),
		"it is tried again by itself, with growing pauses; after the last attempt it waits for a person")
	return fmt.Sprintf("An update failed %s; it is tried again by itself.", times(attempts))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// failure adds what the node itself said.
func (q *inquiry) failure(code, lead, next string) {
	f := q.row.Failure
	if f == nil || len(f.Problems) == 0 {
		q.add(code, lead, next)
		return
	}
	for _, p := range f.Problems {
		r := q.add(code, lead+": "+said(p), next)
		r.Pointer, r.Document = p.Pointer, q.documentOf(p.Target)
	}
}

// said is a problem in one line.
func said(p fsm.Problem) string {
	text := p.Message
	if text == "" {
		text = p.Code
	}
	if p.Pointer != "" {
		text = p.Pointer + ": " + text
	}
	if p.Stage != "" {
		text += " (at " + p.Stage + ")"
	}
	return text
}

func (q *inquiry) documentOf(target string) string {
	for _, e := range q.st.Desired(q.node.Ordinal).Entries {
		if e.Target == target {
			return e.Document
		}
	}
	return ""
}

func (q *inquiry) deadLetter() string {
	if !q.st.DeadLetter(q.node.Ordinal) {
		defer q.add("discarded", "a person took it off the list of dead letters, so nobody is asked about it any more",
			"it is tried again when something newer is wanted, or by `drover node retry "+q.node.ID+"`")
	}
	if q.st.Stuck(q.node.Ordinal) {
		q.failure("stuck", "it refused what is desired, and there is nothing to fall back to",
			"put a corrected version, or retry this node once it is able to take it: until then nothing is sent")
		return "It refused an update, and nothing is left to fall back to."
	}
	refused := map[string]bool{}
	for _, r := range q.row.Refused {
		refused[r.Document] = true
		q.refusal(r)
	}
	fellBack := q.st.FellBack(q.node.Ordinal)
	for _, name := range fellBack {
		if !refused[name] {
			q.add("held_with", fmt.Sprintf("document %q was edited together with a refused one, so it stays at %s", name, q.accepted(name)),
				"it follows when the refused document is corrected").Document = name
		}
	}
	return fmt.Sprintf("It refused %s and runs what it accepted before.", strings.Join(quoted(fellBack), ", "))
}

// refusal is one refused document, with what the node said of it.
func (q *inquiry) refusal(r fsm.Refusal) {
	message, pointer := fmt.Sprintf("it refused version %d of %q and stays at %s", r.Version, r.Document, q.accepted(r.Document)), ""
	if f := q.row.Failure; f != nil {
		for _, p := range f.Problems {
			if name := q.documentOf(p.Target); name == r.Document || name == "" {
				message, pointer = message+": "+said(p), p.Pointer
				break
			}
		}
	}
	out := q.add("refused", message, fmt.Sprintf("put a corrected version of %q, roll it back, or retry this node once it is able to take it", r.Document))
	out.Document, out.Pointer = r.Document, pointer
}

func (q *inquiry) accepted(name string) string {
	if v := q.row.Accepted.Of(name); v != 0 {
		return "version " + strconv.FormatUint(v, 10)
	}
	return "none"
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strconv.Quote(n)
	}
	return out
}

func (q *inquiry) offline() string {
	if q.node.Instance != nil {
		return q.notCalled()
	}
	if q.row.Session == (fsm.Session{}) {
		q.add("never_connected", "it enrolled at "+timeText(q.node.Enrolled)+" and has never connected",
			"start drover-agent on it, and see in its log whether it reaches a controller")
		return "It has never connected."
	}
	since := time.UnixMilli(q.row.Session.Since)
	q.add("offline", fmt.Sprintf("it is offline since %s (%s)", timeText(q.row.Session.Since), q.now.Sub(since).Round(time.Second)),
		"see whether the machine is up and reaches a controller: `drover-agent status` on it says which it tries")
	return "It is not connected to any controller; it keeps what it runs."
}

// surroundings adds what lies not with the node but with the controllers.
func (q *inquiry) surroundings(status fsm.Status) {
	if status == fsm.Acked {
		return
	}
	if q.standing.Leader == "" {
		q.add("no_quorum", "the controllers have no leader since "+timeText(q.standing.Since.UnixMilli())+", so nothing new is sent",
			"bring a majority of the controllers back; `drover cluster status` shows which are missing")
	}
	if q.node.Instance != nil { // it moves to another peer with its owner
		return
	}
	for _, p := range q.st.Peers() {
		if p.ID == q.row.Session.Peer && !p.Alive {
			q.add("peer_down", fmt.Sprintf("the controller %q that it was last connected to is down", p.Name),
				"the agent moves to another one by itself; otherwise see what keeps it from reaching them")
		}
	}
}
