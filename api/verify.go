package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/droverhq/drover/fsm"
)

// Verified is what an instance says that it holds of a document, against what
// is wanted there.
type Verified struct {
	ID         string
	Document   string
	Target     string
	InSync     bool
	Unverified bool   // the wanted hash is the one that the instance told when it took the document
	Wanted     string // version hashes
	Reported   string
	Code       string // why it could not be asked; an instance that cannot be is not in sync
	Error      string
}

// Verifier asks instances which versions they hold.
type Verifier interface {
	// Verify asks the named instances, or where ids is nil all that the document
	// is for, or where that is "" all; the rows are in any order. It ends when
	// ctx does, and answers for those that were too slow with an error.
	Verify(ctx context.Context, document string, ids []string) ([]Verified, error)
}

type verifyAnswer struct {
	Document  string           `json:"document,omitzero"`
	InSync    bool             `json:"in_sync"`
	Instances []instanceVerify `json:"instances"`
}

type instanceVerify struct {
	ID         string `json:"id"`
	Document   string `json:"document"`
	Target     string `json:"target"`
	InSync     bool   `json:"in_sync"`
	Unverified bool   `json:"unverified,omitzero"`
	Wanted     string `json:"wanted"`
	Reported   string `json:"reported"`
	Code       string `json:"code,omitzero"` // of the error
	Error      string `json:"error,omitzero"`
}

// verifyTime bounds a verification, so that the answer is there within 5 s.
const verifyTime = 4 * time.Second

// verifyInstances has instances asked for the versions that they hold.
func (s *Server) verifyInstances(c *call) error {
	if s.deps.Verifier == nil {
		return ErrNotReady
	}
	document := c.QueryParam("document")
	if document != "" {
		if err := s.mayTouch(c, document); err != nil {
			return err
		}
	}
	ids := idsOf(c)
	if len(ids) > maxSelected {
		return failure(codeBadRequest, "%d ids are given, %d are allowed", len(ids), maxSelected)
	}
	chosen, err := s.choose(c, document, ids)
	if err != nil {
		return err
	}
	out := verifyAnswer{Document: document, InSync: true, Instances: []instanceVerify{}}
	for _, o := range chosen.others {
		out.Instances = append(out.Instances, instanceVerify{ID: o.ID, Document: document, Code: o.Error.Code, Error: o.Error.Message})
	}
	if len(chosen.names) > 0 {
		ctx, cancel := context.WithTimeout(c.ctx(), verifyTime)
		defer cancel()
		rows, err := s.deps.Verifier.Verify(ctx, document, chosen.names)
		if err != nil {
			return err
		}
		for _, v := range rows {
			if covers(c.who.prefixes, v.Document) {
				out.Instances = append(out.Instances, verifyOf(v))
			}
		}
	}
	slices.SortFunc(out.Instances, func(a, b instanceVerify) int { return strings.Compare(a.ID+"\x00"+a.Target, b.ID+"\x00"+b.Target) })
	out.InSync = !slices.ContainsFunc(out.Instances, func(i instanceVerify) bool { return !i.InSync })
	s.view(c, func(*fsm.State) {}) // the answer is of now
	return c.ok(out)
}

func verifyOf(v Verified) instanceVerify {
	out := instanceVerify(v)
	out.InSync = v.InSync && v.Code == ""
	return out
}

// idsOf reads ?ids=: names with commas between them, or the parameter several
// times; nil where there is none.
func idsOf(c *call) (ids []string) {
	for _, text := range c.QueryParams()["ids"] {
		for _, id := range strings.Split(text, ",") {
			if id = strings.TrimSpace(id); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
