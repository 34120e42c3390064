package api

import (
	"github.com/droverhq/drover/fsm"
)

// nodeError is an error as a node reported it.
type nodeError struct {
	Target  string `json:"target,omitzero"`
	Stage   string `json:"stage,omitzero"`
	Code    string `json:"code"`
	Pointer string `json:"pointer,omitzero"`
	Message string `json:"message"`
	LogTail string `json:"log_tail,omitzero"`
	At      string `json:"at,omitzero"`
}

// lastError is why a node does not do what is wanted: the first reason of the
// last error that counted or, of an instance, why it cannot be called; nil
// where there was none since the node last did what was wanted.
func lastError(st *fsm.State, n *fsm.Node) *nodeError {
	row := st.Row(n.Ordinal)
	if u := row.Unreachable(); u != nil && (row.Failure == nil || st.Status(n.Ordinal) != fsm.DeadLetter) {
		return &nodeError{Code: u.Code, Message: u.Message, At: timeText(u.Time)}
	}
	if row.Failure == nil {
		return nil
	}
	e := &nodeError{Code: "failed", Message: "the node told no reason", At: timeText(row.Failure.Time)}
	if len(row.Failure.Problems) > 0 {
		p := row.Failure.Problems[0]
		e.Target, e.Stage, e.Code, e.Pointer, e.Message, e.LogTail = p.Target, p.Stage, p.Code, p.Pointer, p.Message, p.LogTail
	}
	return e
}

// peerName is the name of the peer that a node is connected to, or "".
func peerName(st *fsm.State, row *fsm.Row) string {
	if !row.Connected {
		return ""
	}
	if p := st.Peer(row.Session.Peer); p != nil {
		return p.Name
	}
	return row.Session.Peer
}

// manifestRow is what a node holds or should hold. Revision is the newest that
// brought one of its versions: a label for people.
type manifestRow struct {
	Revision uint64 `json:"revision,omitzero"`
	Manifest string `json:"manifest,omitzero"`
	Epoch    uint64 `json:"epoch,omitzero"`
	Index    uint64 `json:"index,omitzero"`
}

func desiredRow(m *fsm.Manifest) manifestRow {
	row := manifestRow{Manifest: m.Sum.String()}
	for _, e := range m.Entries {
		row.Revision = max(row.Revision, e.Version.Revision)
	}
	return row
}

func reportedRow(st *fsm.State, row *fsm.Row) manifestRow {
	if !row.Known {
		return manifestRow{}
	}
	out := manifestRow{Manifest: row.Reported.String(), Epoch: row.At.Epoch, Index: row.At.Index}
	if row.Accepted == nil || row.Accepted.Sum != row.Reported {
		return out
	}
	for _, dv := range row.Accepted.List {
		if d := st.Document(dv.Document); d != nil && d.Version(dv.Version) != nil {
			out.Revision = max(out.Revision, d.Version(dv.Version).Revision)
		}
	}
	return out
}

// knownStatus refuses a filter that no node could ever fit.
func knownStatus(text string) error {
	switch fsm.Status(text) {
	case "", fsm.Acked, fsm.InFlight, fsm.Pending, fsm.Retrying, fsm.Reverted, fsm.DeadLetter, fsm.Offline:
		return nil
	}
	return failure(codeBadRequest, "status is %q; it is acked, in_flight, pending, retrying, reverted, dead_letter or offline", clip(text, 40))
}
