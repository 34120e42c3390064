package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/droverhq/drover/fsm"
)

// syncRequest asks for instances to be pushed what they should hold, whatever
// they say that they hold.
type syncRequest struct {
	Document string   `json:"document,omitzero"` // default: all
	IDs      []string `json:"ids,omitzero"`      // default: all that the document is for
	Timeout  string   `json:"timeout,omitzero"`  // a duration; default 10s, at most 60s
}

type syncAnswer struct {
	Document  string         `json:"document,omitzero"`
	Instances []instanceSync `json:"instances"`
	Synced    int            `json:"synced"`
	Failed    int            `json:"failed"`
	Waiting   int            `json:"waiting"` // neither, when the time was over
}

// instanceSync is how it went with one instance.
type instanceSync struct {
	ID     string     `json:"id"`
	Status fsm.Status `json:"status"`
	InSync bool       `json:"in_sync"`
	Error  *syncError `json:"error,omitzero"`
}

type syncError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Time that a sync waits for the instances.
const (
	syncTime    = 10 * time.Second
	syncTimeMax = 60 * time.Second
)

// Codes of a result that no instance gave.
const (
	codeNotWanted = "not_wanted"
	codeRemoved   = "removed"
)

// syncInstances pushes to instances, and waits until each has taken it, refused
// it, or could not be reached.
func (s *Server) syncInstances(c *call) error {
	var in syncRequest
	if err := c.decodeIfAny(selectionBody, &in); err != nil {
		return err
	}
	wait, err := in.check()
	if err != nil {
		return err
	}
	if in.Document != "" {
		if err := s.mayTouch(c, in.Document); err != nil {
			return err
		}
	}
	chosen, err := s.choose(c, in.Document, in.IDs)
	if err != nil {
		return err
	}
	if err := s.mayTouch(c, chosen.documents...); err != nil {
		return err
	}
	if err := s.askSync(c, in.Document, chosen.names); err != nil {
		return err
	}
	// The server's own limit on writing an answer began with the request.
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(wait + writeTimeout)) // a recorder has none
	results, err := s.awaitSync(c, in.Document, chosen.names, wait)
	if err != nil {
		return err
	}
	out := syncAnswer{Document: in.Document, Instances: append(results, chosen.others...)}
	slices.SortFunc(out.Instances, func(a, b instanceSync) int { return strings.Compare(a.ID, b.ID) })
	for _, r := range out.Instances {
		switch {
		case r.InSync:
			out.Synced++
		case r.Error != nil:
			out.Failed++
		default:
			out.Waiting++
		}
	}
	return c.ok(out)
}

func (in syncRequest) check() (wait time.Duration, err error) {
	switch {
	case in.IDs != nil && len(in.IDs) == 0:
		return 0, invalid("/ids", "no instance is named: leave ids out to mean all")
	case len(in.IDs) > maxSelected:
		return 0, invalid("/ids", "%d ids are given, %d are allowed", len(in.IDs), maxSelected)
	case in.Timeout == "":
		return syncTime, nil
	}
	wait, err = time.ParseDuration(in.Timeout)
	if err != nil || wait < 0 || wait > syncTimeMax {
		return 0, invalid("/timeout", "timeout is %q; it is a duration from 0s to 60s", clip(in.Timeout, 40))
	}
	return wait, nil
}

// choice is which instances are meant: those that a document is for, and the
// named others with the reason against them.
type choice struct {
	names     []string
	others    []instanceSync
	documents []string // where none was named and prefixes bind the caller: all that are for them
}

// choose finds the instances that a document is for, all where none is named:
// those of ids, or all. It is an error where there is no such document or id.
func (s *Server) choose(c *call, document string, ids []string) (choice, error) {
	var (
		out     choice
		unknown []string
		missing bool
	)
	s.view(c, func(st *fsm.State) {
		if d := st.Document(document); document != "" && (d == nil || d.Deleted) {
			missing = true
			return
		}
		var nodes []*fsm.Node
		if nodes, unknown = instancesOf(st, ids); len(unknown) > 0 {
			return
		}
		for _, n := range nodes {
			if document == "" && len(c.who.prefixes) > 0 {
				for _, v := range st.Desired(n.Ordinal).Versions.List {
					out.documents = append(out.documents, v.Document)
				}
			}
			switch {
			case document == "" || st.Desired(n.Ordinal).Versions.Of(document) != 0:
				out.names = append(out.names, n.ID)
			case ids != nil:
				out.others = append(out.others, instanceSync{ID: n.ID, Status: st.Status(n.Ordinal), Error: &syncError{codeNotWanted,
					"the document is not for this instance: see its selector, and the labels and accepts of the instance"}})
			}
		}
	})
	slices.Sort(out.documents)
	out.documents = slices.Compact(out.documents)
	switch {
	case missing:
		return out, failure(codeNotFound, "no document is called %q", clip(document, 200))
	case len(unknown) > 0:
		return out, &Error{Code: codeNotFound, Pointer: "/ids", Detail: "no instance is called " + someOf(unknown)}
	}
	return out, nil
}

// instancesOf are the named instances, all where ids is nil.
func instancesOf(st *fsm.State, ids []string) (nodes []*fsm.Node, unknown []string) {
	if ids == nil {
		return slices.Collect(st.Instances), nil
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		if n := st.Node(id); n != nil && n.Instance != nil {
			nodes = append(nodes, n)
		} else {
			unknown = append(unknown, id)
		}
	}
	return nodes, unknown
}

// someOf names some of many.
func someOf(names []string) string {
	const most = 20
	out := quoted(names[:min(len(names), most)])
	for i := range out {
		out[i] = clip(out[i], 140)
	}
	if len(names) > most {
		return strings.Join(out, ", ") + ", …"
	}
	return strings.Join(out, ", ")
}

// askSync has the instances pushed to, unless an earlier request with the same
// Idempotency-Key did: then only how it went is told.
func (s *Server) askSync(c *call, document string, names []string) error {
	if res, err := s.replayed(c); err != nil || res != nil || len(names) == 0 {
		return err
	}
	ask := fsm.RetryNodes{Resync: true}
	if document != "" {
		ask.Documents = []string{document}
	}
	for batch := range slices.Chunk(names, retryBatch) {
		ask.Nodes = batch
		if _, err := s.propose(c, ask); err != nil {
			return err
		}
		c.once = fsm.Once{}
	}
	return nil
}

// awaitSync waits until no instance is on the way any more, or the time is over.
func (s *Server) awaitSync(c *call, document string, names []string, wait time.Duration) ([]instanceSync, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	var out []instanceSync
	for last := false; ; {
		moved := s.deps.Store.Watch().Changed()
		under := names[:0:0]
		s.view(c, func(st *fsm.State) {
			for _, id := range names {
				if r, settled := syncOf(st, id, document); settled || last {
					out = append(out, r)
				} else {
					under = append(under, id)
				}
			}
		})
		if names = under; len(names) == 0 {
			return out, nil
		}
		select {
		case <-moved:
		case <-over.C:
			last = true
		case <-s.streams.closed: // this peer goes away, and so would the answer
			last = true
		case <-c.ctx().Done():
			return nil, c.ctx().Err()
		}
	}
}

// syncOf is how a sync stands with an instance. It is settled when the instance
// has accepted the index at which it was asked for, or cannot be called, or
// waits for a person; a failure that is tried again by itself settles nothing.
func syncOf(st *fsm.State, id, document string) (out instanceSync, settled bool) {
	n := st.Node(id)
	if n == nil || n.Instance == nil {
		return instanceSync{ID: id, Status: fsm.Offline, Error: &syncError{codeRemoved, "the instance was removed meanwhile"}}, true
	}
	row := st.Row(n.Ordinal)
	out = instanceSync{ID: id, Status: st.Status(n.Ordinal)}
	asked := row.At.Less(fsm.Position{Epoch: st.Epoch(), Index: row.Resync})
	out.InSync = !asked && !st.Stuck(n.Ordinal) && holds(st, n, document)
	if out.InSync {
		return out, true
	}
	if e := lastError(st, n); e != nil {
		out.Error = &syncError{e.Code, e.Message}
	}
	return out, row.Unreachable() != nil || waitsForPerson(st, n, document)
}

// waitsForPerson tells whether nothing more is sent of a document, or of any,
// until a person or something newer comes.
func waitsForPerson(st *fsm.State, n *fsm.Node, document string) bool {
	if st.Stuck(n.Ordinal) {
		return true
	}
	fellBack := st.FellBack(n.Ordinal)
	return len(fellBack) > 0 && (document == "" || slices.Contains(fellBack, document))
}

// holds tells whether a node holds what is desired of a document, or of all:
// where another document fell back, this one may be held all the same.
func holds(st *fsm.State, n *fsm.Node, document string) bool {
	if document == "" || st.Converged(n.Ordinal) {
		return st.Converged(n.Ordinal)
	}
	row, wanted := st.Row(n.Ordinal), st.Wanted(n.Ordinal)
	return row.Known && row.Confirmed && row.Unreachable() == nil && row.Reported == wanted.Sum && !row.At.Less(fsm.Position{Epoch: st.Epoch(), Index: st.Since(n.Ordinal)}) &&
		wanted.Versions.Of(document) == st.Desired(n.Ordinal).Versions.Of(document)
}
