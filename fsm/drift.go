package fsm

import (
	"encoding/json"
	"slices"
)

// Drift is that a node holds something else than what it accepted, though
// nothing new was sent: somebody changed it there.
type Drift struct {
	Targets  []string `cbor:"1,keyasint,omitempty"` // that differ now, sorted; none where it has ended
	Begun    []int64  `cbor:"2,keyasint,omitempty"` // when the latest ones began, Unix ms
	Released bool     `cbor:"3,keyasint,omitempty"` // a person asked for it to be healed
}

// Drift is healed so often in an hour on one node; then a person is needed.
const (
	driftHeals  = 3
	driftWindow = hour
)

// featureInstances is the feature level from which on nodes may be instances, and
// drift is known.
const featureInstances = 2

// noteDrift keeps, in the row that a report makes, whether the node drifted.
func (s *State) noteDrift(r report, next *Row) {
	switch {
	case s.cluster.Feature < featureInstances:
	case r.Manifest == s.Wanted(r.Node).Sum:
		if next.Drift != nil && len(next.Drift.Targets) > 0 {
			next.Drift = &Drift{Begun: next.Drift.Begun}
		}
	case len(r.Drifted) > 0:
		d := Drift{}
		if next.Drift != nil {
			d = *next.Drift
		}
		if len(d.Targets) == 0 {
			recent := append(slices.Clone(d.Begun), s.now)
			d.Begun = recent[max(0, len(recent)-driftHeals-1):]
		}
		d.Targets = r.Drifted
		next.Drift = &d
	}
}

// Drifted returns the targets that somebody changed on a node, none where
// something newer is wanted there anyway.
func (s *State) Drifted(ord uint32) []string {
	row := s.rows[ord]
	if row.Drift == nil || row.Accepted == nil || row.Reported == s.Wanted(ord).Sum ||
		!slices.Equal(row.Accepted.List, s.Wanted(ord).Versions.List) {
		return nil
	}
	return row.Drift.Targets
}

// DriftHeld tells whether drift is left as it is at a time (Unix ms): a
// document's policy says that it is to be reported only, or it was healed too
// often already.
func (s *State) DriftHeld(ord uint32, now int64) bool {
	drifted := s.Drifted(ord)
	if len(drifted) == 0 || s.rows[ord].Drift.Released {
		return false
	}
	a := s.AudienceOf(ord)
	for _, target := range drifted {
		if doc := s.documents[a.document(target)]; doc != nil && doc.ReportsDrift() {
			return true
		}
	}
	recent := 0
	for _, t := range s.rows[ord].Drift.Begun {
		if now-t < driftWindow {
			recent++
		}
	}
	return recent > driftHeals
}

// ReportsDrift tells whether the policy leaves drift to a person.
func (d *Document) ReportsDrift() bool {
	if d.Policy == "" {
		return false
	}
	var p struct {
		Drift string `json:"drift"`
	}
	return json.Unmarshal([]byte(d.Policy), &p) == nil && p.Drift == "report"
}
