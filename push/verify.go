package push

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

// Verified is what an instance says of one document, against what is desired.
type Verified struct {
	ID, Document, Target string
	InSync               bool
	Unverified           bool   // the desired hash is what it reported after the push, because of placeholders
	Wanted, Reported     string // version hashes; "" where there is none
	Code, Error          string // why it is not in sync, where the hashes do not tell
}

// Codes of Verified beside those of package instance.
const (
	codeNotPushed   = "not_pushed"   // its hash cannot be known before it has taken the version
	codeNotReported = "not_reported" // it does not tell a version of the target
)

// Verify asks instances for the versions that they hold: the named ones, or all
// that document is for, or where that is "" all. It may be asked of any peer. An
// instance that does not answer before ctx ends is not in sync.
func (s *Server) Verify(ctx context.Context, document string, ids []string) ([]Verified, error) {
	var checks []check
	chosen := map[string]bool{}
	for _, id := range ids {
		chosen[id] = true
	}
	s.deps.Store.View(func(state *fsm.State) {
		for n := range state.Instances {
			if ids != nil && !chosen[n.ID] {
				continue
			}
			row := state.Row(n.Ordinal)
			c := check{node: n, row: row, baselines: baselinesOf(row.Observed())}
			for _, x := range expect(state, state.Desired(n.Ordinal), &fsm.Row{}) {
				if document == "" || x.document == document {
					c.wanted = append(c.wanted, x)
				}
			}
			if len(c.wanted) > 0 {
				checks = append(checks, c)
			}
		}
	})
	results := make([][]Verified, len(checks))
	var asked sync.WaitGroup
	for i, c := range checks {
		asked.Go(func() { results[i] = s.verify(ctx, c) })
	}
	asked.Wait()
	return slices.Concat(results...), nil
}

// check is one instance with what is desired of it.
type check struct {
	node      *fsm.Node
	row       *fsm.Row
	wanted    []expected
	baselines baselines
}

func (s *Server) verify(ctx context.Context, c check) []Verified {
	var versions instance.Versions
	target, err := s.target(c.node)
	if err == nil {
		err = call(ctx, s.places.of(c.row), func(ctx context.Context) (err error) {
			versions, err = s.http.Versions(ctx, target)
			return err
		})
	}
	out := make([]Verified, 0, len(c.wanted))
	for _, x := range c.wanted {
		v := Verified{ID: c.node.ID, Document: x.document, Target: x.target, Reported: versions.ByType[x.target]}
		unknown := s.compare(&v, c.baselines, x)
		if why := cmp.Or(err, unknown); why != nil {
			v.InSync = false
			v.Code, v.Error = reasonOf(why)
			if ctx.Err() != nil {
				v.Code, v.Error = string(instance.CodeTimeout), "it has not answered in time"
			}
		}
		out = append(out, v)
	}
	return out
}

func (s *Server) compare(v *Verified, b baselines, x expected) error {
	want := x.candidates[0]
	print, err := s.prints.of(want.blob)
	if err != nil {
		return err
	}
	v.Wanted = print.hash
	if print.placeholders {
		v.Unverified, v.Wanted = true, b[x.target].Hash
		if b[x.target].Version != want.version.Number {
			v.Wanted, v.Code, v.Error = "", codeNotPushed, "it has not taken the wanted version yet"
		}
	}
	if v.Reported == "" && v.Code == "" {
		v.Code, v.Error = codeNotReported, "it reports no "+x.target+"_version"
	}
	v.InSync = v.Code == "" && v.Reported == v.Wanted
	return nil
}
