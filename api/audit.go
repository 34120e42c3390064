package api

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/fsm"
)

type auditRow struct {
	Seq       uint64 `json:"seq"`
	Time      string `json:"time"`
	Actor     string `json:"actor"`
	ActorKind string `json:"actor_kind,omitzero"`
	Address   string `json:"address,omitzero"`
	Action    string `json:"action"`
	Object    string `json:"object"`
	Detail    string `json:"detail"`
	Outcome   string `json:"outcome"` // done, or the code of the refusal
	RequestID string `json:"request_id"`
	Revision  uint64 `json:"revision,omitzero"`
	Hash      string `json:"hash"`
}

func auditOf(e *fsm.AuditEntry) auditRow {
	return auditRow{
		Seq: e.Seq, Time: timeText(e.Time), Actor: e.Actor.Name, ActorKind: e.Actor.Kind, Address: e.Actor.Address,
		Action: e.Action, Object: e.Object, Detail: e.Detail, Outcome: e.Outcome, RequestID: e.RequestID,
		Revision: e.Revision, Hash: e.Hash.String(),
	}
}

// entries are those that retention keeps. They never change, so they are read
// outside of the state's lock.
func (s *Server) entries(c *call) (log fsm.AuditLog) {
	s.view(c, func(st *fsm.State) { log = st.Audit() })
	return log
}

// auditFilter fits entries to ?actor=, ?action= (a prefix at a dot: "node"
// is every action on nodes) and ?object= (a part of it).
func auditFilter(c *call) func(*fsm.AuditEntry) bool {
	actor, action, object := c.QueryParam("actor"), c.QueryParam("action"), c.QueryParam("object")
	return func(e *fsm.AuditEntry) bool {
		return (actor == "" || e.Actor.Name == actor) &&
			(action == "" || e.Action == action || strings.HasPrefix(e.Action, action+".")) &&
			(object == "" || strings.Contains(e.Object, object))
	}
}

// listAudit lists the newest first.
func (s *Server) listAudit(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	below, err := w.numberAfter(^uint64(0))
	if err != nil {
		return err
	}
	fits := auditFilter(c)
	list := gather[auditRow]{window: w}
	for e := range s.entries(c).Backward() {
		if e.Seq < below && fits(e) && !list.add(strconv.FormatUint(e.Seq, 10), func() auditRow { return auditOf(e) }) {
			break
		}
	}
	return c.ok(list.done())
}

type verdict struct {
	Valid   bool   `json:"valid"`
	Entries int    `json:"entries"`
	First   uint64 `json:"first,omitzero"`
	Last    uint64 `json:"last,omitzero"`
	Broken  uint64 `json:"broken_at,omitzero"` // number of the first entry that does not fit
}

// verifyBatch is how many entries are checked between two looks at whether the
// client is still there.
const verifyBatch = 1000

// verifyAudit checks the chain of hashes. It takes seconds for a long one, so
// one check runs at a time.
func (s *Server) verifyAudit(c *call) error {
	select {
	case s.verifying <- struct{}{}:
		defer func() { <-s.verifying }()
	default:
		return &Error{Code: codeRateLimited, RetryAfter: 1, Detail: "the audit is being verified already; try again in a moment"}
	}
	out, err := verifyChain(c.ctx(), s.entries(c).All())
	if err != nil {
		return err
	}
	return c.ok(out)
}

func verifyChain(ctx context.Context, all iter.Seq[*fsm.AuditEntry]) (verdict, error) {
	out := verdict{Valid: true}
	var batch []*fsm.AuditEntry
	check := func() {
		if broken := fsm.VerifyAudit(batch); broken > 0 && out.Valid {
			out.Broken, out.Valid = broken, false
		}
	}
	for e := range all {
		if out.Entries++; out.Entries == 1 {
			out.First = e.Seq
		}
		out.Last = e.Seq
		if !out.Valid {
			continue
		}
		if batch = append(batch, e); len(batch) > verifyBatch {
			if err := ctx.Err(); err != nil {
				return out, err
			}
			check()
			batch = append(batch[:0], e) // once more, so that the batches are linked as well
		}
	}
	check()
	return out, nil
}

// exportBatch is how many entries are written between two extensions of the
// time that the client has.
const exportBatch = 1000

// exportAudit writes the entries that fit the filters as JSON Lines, the oldest
// first, in the form that their hashes are made over (see fsm.HashEntry), so
// that the chain can be checked elsewhere.
func (s *Server) exportAudit(c *call) error {
	fits := auditFilter(c)
	h := c.Response().Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
	c.Response().WriteHeader(http.StatusOK)
	out := json.NewEncoder(c.Response())
	control := http.NewResponseController(c.Response())
	i := 0
	for e := range s.entries(c).All() {
		if i%exportBatch == 0 {
			_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder has none
		}
		i++
		if !fits(e) {
			continue
		}
		if err := out.Encode(e); err != nil {
			return nil //nolint:nilerr // the client is gone: nobody is left to be told
		}
	}
	return nil
}
