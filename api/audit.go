package api

import (
	"encoding/json"
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

// entries are those that retention keeps, oldest first. They never change, so
// they are read outside of the state's lock.
func (s *Server) entries(c *call) (list []*fsm.AuditEntry) {
	s.view(c, func(st *fsm.State) { list = st.Audit() })
	return list
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
	all, fits := s.entries(c), auditFilter(c)
	list := gather[auditRow]{window: w}
	for i := len(all) - 1; i >= 0; i-- {
		e := all[i]
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
	all := s.entries(c)
	out := verdict{Valid: true, Entries: len(all)}
	if len(all) > 0 {
		out.First, out.Last = all[0].Seq, all[len(all)-1].Seq
	}
	for from := 0; from < len(all) && out.Valid; from += verifyBatch {
		if err := c.ctx().Err(); err != nil {
			return err
		}
		// One entry more, so that the batches are linked as well.
		out.Broken = fsm.VerifyAudit(all[from:min(from+verifyBatch+1, len(all))])
		out.Valid = out.Broken == 0
	}
	return c.ok(out)
}

// exportBatch is how many entries are written between two extensions of the
// time that the client has.
const exportBatch = 1000

// exportAudit writes the entries that fit the filters as JSON Lines, the oldest
// first, in the form that their hashes are made over (see fsm.HashEntry), so
// that the chain can be checked elsewhere.
func (s *Server) exportAudit(c *call) error {
	all, fits := s.entries(c), auditFilter(c)
	h := c.Response().Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
	c.Response().WriteHeader(http.StatusOK)
	out := json.NewEncoder(c.Response())
	control := http.NewResponseController(c.Response())
	for i, e := range all {
		if i%exportBatch == 0 {
			_ = control.SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder has none
		}
		if !fits(e) {
			continue
		}
		if err := out.Encode(e); err != nil {
			return nil //nolint:nilerr // the client is gone: nobody is left to be told
		}
	}
	return nil
}
