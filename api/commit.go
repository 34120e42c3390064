package api

import (
	"strconv"

	"github.com/droverhq/drover/fsm"
)

// Bounds of commits.
const (
	maxMessage  = 2000 // bytes of a change's message
	inlineTotal = 256 << 10
	maxTries    = 10
)

// plan makes the edits of a change from the state, each time it is tried.
type plan func(c *call) ([]prepared, error)

// commit carries out a change: what an earlier request with the same key did,
// or else the plan, made again when something that it was based on has moved
// and the caller did not ask for that base.
func (s *Server) commit(c *call, message string, plan plan) (fsm.Outcome, error) {
	if len(message) > maxMessage {
		e := failure(codeInvalid, "the message has %d bytes, %d are allowed", len(message), maxMessage)
		e.Pointer = "/message"
		return fsm.Outcome{}, e
	}
	if res, err := s.replayed(c); err != nil {
		return fsm.Outcome{}, err
	} else if res != nil {
		return res.Outcome, nil
	}
	fresh := false
	for try := 1; ; try++ {
		edits, err := plan(c)
		if err != nil {
			// This peer may have caught up meanwhile: what the plan fails on can
			// be what the earlier request with this key did.
			if res, _ := s.replayed(c); res != nil {
				return res.Outcome, nil
			}
			return fsm.Outcome{}, err
		}
		c.planned = edits
		body, err := s.carry(c, message, edits, fresh)
		if err == nil {
			var res fsm.Result
			if res, err = s.propose(c, body); err == nil {
				return res.Outcome, nil
			}
		}
		switch {
		case try == maxTries:
			return fsm.Outcome{}, err
		case fsm.Code(err) == fsm.CodeBaseMoved && anyOwn(edits):
		case fsm.Code(err) == fsm.CodeSchemaMoved:
		case fsm.Code(err) == fsm.CodeConflict && s.lostContent(c, edits):
			fresh = true
		default:
			return fsm.Outcome{}, err
		}
	}
}

func anyOwn(edits []prepared) bool {
	for _, p := range edits {
		if p.own {
			return true
		}
	}
	return false
}

// lostContent tells whether a content that was not sent along, because the
// state had it, is gone: retention took it, or another upload of it began anew.
func (s *Server) lostContent(c *call, edits []prepared) bool {
	lost := false
	s.view(c, func(st *fsm.State) {
		for _, p := range edits {
			lost = lost || !p.edit.Blob.IsZero() && p.edit.Inline == nil && st.Blob(p.edit.Blob) == nil
		}
	})
	return lost
}

// carry puts contents into the command, or into the state where they are too
// large for one. With fresh they are sent even if the state seems to have them.
func (s *Server) carry(c *call, message string, edits []prepared, fresh bool) (fsm.Commit, error) {
	body := fsm.Commit{Message: message, Edits: make([]fsm.Edit, len(edits))}
	inline := 0
	for i := range edits {
		p := &edits[i]
		if p.blob != nil {
			switch size := len(p.blob.Data); {
			case size <= fsm.InlineBlob && inline+size <= inlineTotal:
				inline += size
				p.edit.Inline = p.blob
			case !fresh && s.hasBlob(c, p.edit.Blob):
			default:
				if err := s.storeContent(c, p.edit.Blob, p.blob); err != nil {
					return body, err
				}
			}
		}
		body.Edits[i] = p.edit
	}
	return body, nil
}

func (s *Server) hasBlob(c *call, sum fsm.Sum) bool {
	found := false
	s.view(c, func(st *fsm.State) { found = st.Blob(sum) != nil })
	return found
}

// writeAnswer is what a change of one document answers.
type writeAnswer struct {
	Document  string    `json:"document"`
	Version   uint64    `json:"version"`
	Revision  uint64    `json:"revision"`
	Checksum  string    `json:"checksum"`
	Push      string    `json:"push"`
	Unchanged bool      `json:"unchanged,omitzero"`
	Warnings  []Problem `json:"warnings,omitzero"` // without a document: of this one
}

// answerWrite tells what became of a change of one document. Where nothing
// changed, revision and push are those that brought the version.
func (s *Server) answerWrite(c *call, out fsm.Outcome) (writeAnswer, fsm.EditOutcome) {
	e := out.Edits[0]
	a := writeAnswer{Document: e.Document, Version: e.Version, Revision: out.Revision, Checksum: e.Checksum.String(), Unchanged: out.Unchanged}
	s.view(c, func(st *fsm.State) {
		d := st.Document(e.Document)
		if d == nil {
			return
		}
		if v := d.Version(e.Version); v != nil && out.Unchanged {
			a.Revision = v.Revision
		}
	})
	a.Warnings = s.warnings(c, []string{e.Document}, nil, e.Document)
	a.Push = strconv.FormatUint(a.Revision, 10)
	return a, e
}
