package api

import (
	"strconv"

	"slices"

	"github.com/droverhq/drover/fsm"
)

type pushRow struct {
	ID         string     `json:"id"`
	Revision   uint64     `json:"revision"`
	Strategy   string     `json:"strategy"`
	State      string     `json:"state"`
	Counts     fsm.Counts `json:"counts"`
	Total      int        `json:"total"`
	Documents  []string   `json:"documents"`
	Message    string     `json:"message"`
	Author     string     `json:"author"`
	Started    string     `json:"started"`
	Finished   string     `json:"finished,omitzero"`
	Superseded string     `json:"superseded_by,omitzero"` // id of the push that took over
}

type pushFull struct {
	pushRow
	Actions []string `json:"actions"`
}

func pushOf(st *fsm.State, p *fsm.Push) pushRow {
	row := pushRow{
		ID: strconv.FormatUint(p.Revision, 10), Revision: p.Revision, Strategy: "all", State: p.State,
		Counts: st.PushCounts(p), Documents: p.Documents, Started: timeText(p.Started), Finished: timeText(p.Finished),
	}
	row.Total = row.Counts.Total()
	if r := st.Revision(p.Revision); r != nil {
		row.Message, row.Author = r.Message, r.Author
	}
	if p.SupersededBy != 0 {
		row.Superseded = strconv.FormatUint(p.SupersededBy, 10)
	}
	return row
}

// listPushes lists the newest first.
func (s *Server) listPushes(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	below, err := w.numberAfter(^uint64(0))
	if err != nil {
		return err
	}
	state, name := c.QueryParam("state"), c.QueryParam("document")
	list := gather[pushRow]{window: w}
	s.view(c, func(st *fsm.State) {
		for _, p := range st.Pushes() {
			if p.Revision >= below || state != "" && p.State != state || name != "" && !slices.Contains(p.Documents, name) {
				continue
			}
			if !list.add(strconv.FormatUint(p.Revision, 10), func() pushRow { return pushOf(st, p) }) {
				return
			}
		}
	})
	return c.ok(list.done())
}

// push finds the push in the path, or says that there is none.
func pushIn(st *fsm.State, c *call) (*fsm.Push, error) {
	id := c.segment("id")
	p := st.Push(number(id))
	if p == nil || id != strconv.FormatUint(p.Revision, 10) {
		return nil, failure(codeNotFound, "there is no push %q (any more); its id is the number of its revision", clip(id, 40))
	}
	return p, nil
}

func (s *Server) getPush(c *call) error {
	var (
		out pushFull
		err error
	)
	s.view(c, func(st *fsm.State) {
		var p *fsm.Push
		if p, err = pushIn(st, c); err == nil {
			out.pushRow = pushOf(st, p)
		}
	})
	if err != nil {
		return err
	}
	out.Actions = []string{}
	if c.who.role.has(permPushesRetry) {
		out.Actions = append(out.Actions, "retry")
	}
	return c.ok(out)
}

type retryAnswer struct {
	Retried int `json:"retried"`
}

// retryBatch is the number of nodes in one command.
const retryBatch = 10_000

// retryPush has the failed nodes of a push try what is desired of them again.
func (s *Server) retryPush(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	if res, err := s.replayed(c); err != nil || res != nil {
		return answerRetry(c, res, err)
	}
	var (
		names []string
		docs  []string
		err   error
	)
	s.view(c, func(st *fsm.State) {
		var p *fsm.Push
		if p, err = pushIn(st, c); err != nil {
			return
		}
		docs = p.Documents
		for ord := range p.Targets.All() {
			if n := st.NodeAt(ord); n != nil && failed(st.Status(ord)) {
				names = append(names, n.ID)
			}
		}
	})
	if err != nil {
		return err
	}
	if err := s.mayTouch(c, docs...); err != nil {
		return err
	}
	return s.retryNodes(c, names)
}

func failed(status fsm.Status) bool {
	return status == fsm.DeadLetter || status == fsm.Retrying || status == fsm.Reverted
}

// retryNodes proposes in batches; the first one carries the Idempotency-Key.
func (s *Server) retryNodes(c *call, names []string) error {
	out := retryAnswer{}
	for batch := range slices.Chunk(names, retryBatch) {
		res, err := s.propose(c, fsm.RetryNodes{Nodes: batch})
		if err != nil {
			return err
		}
		out.Retried += res.Outcome.Count
		c.once = fsm.Once{}
	}
	return c.ok(out)
}

func answerRetry(c *call, res *fsm.Result, err error) error {
	if err != nil {
		return err
	}
	return c.ok(retryAnswer{res.Outcome.Count})
}
