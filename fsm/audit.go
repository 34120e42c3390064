package fsm

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
)

// AuditEntry records one action. Entries are part of the command whose effect
// they record, and each holds the hash of the one before it.
type AuditEntry struct {
	Seq       uint64 `cbor:"1,keyasint" json:"seq"`
	Time      int64  `cbor:"2,keyasint" json:"time"` // Unix time in milliseconds
	Actor     Actor  `cbor:"3,keyasint" json:"actor"`
	Action    string `cbor:"4,keyasint" json:"action"`
	Object    string `cbor:"5,keyasint,omitempty" json:"object"`
	Detail    string `cbor:"6,keyasint,omitempty" json:"detail"`
	Outcome   string `cbor:"7,keyasint" json:"outcome"` // done, or the code of the refusal
	RequestID string `cbor:"8,keyasint,omitempty" json:"request_id"`
	Revision  uint64 `cbor:"9,keyasint,omitempty" json:"revision"`
	Previous  Sum    `cbor:"10,keyasint" json:"previous"`
	Hash      Sum    `cbor:"11,keyasint" json:"hash"`
}

// Note records something that changes no other state: a login that failed, a
// request that was not allowed.
type Note struct {
	Action  string `cbor:"1,keyasint"`
	Object  string `cbor:"2,keyasint,omitempty"`
	Detail  string `cbor:"3,keyasint,omitempty"`
	Outcome string `cbor:"4,keyasint"`
}

// Kind is the persisted number of the command.
func (Note) Kind() Kind { return 40 }

// HashEntry is SHA-256 over the previous hash, a zero byte, and the entry as
// JSON with an empty "hash" and "previous", as encoding/json writes it.
func HashEntry(e AuditEntry) Sum {
	previous := e.Previous
	e.Previous, e.Hash = Sum{}, Sum{}
	text, err := json.Marshal(e)
	if err != nil { // strings and integers always encode
		panic(err)
	}
	h := sha256.New()
	h.Write(previous[:])
	h.Write([]byte{0})
	h.Write(text)
	return Sum(h.Sum(nil))
}

// VerifyAudit checks a chain, and returns the number of the first entry that
// does not fit, 0 where all do.
func VerifyAudit(entries []*AuditEntry) uint64 {
	for i, e := range entries {
		if i > 0 && (e.Previous != entries[i-1].Hash || e.Seq != entries[i-1].Seq+1) {
			return e.Seq
		}
		if HashEntry(*e) != e.Hash {
			return e.Seq
		}
	}
	return 0
}

// record audits a command, refused ones included. Reports of nodes and the
// peers' own housekeeping are not actions of anybody.
func (s *State) record(c Command, out Outcome, err error) {
	action, object, detail := describe(c.Body)
	if action == "" || out.Unchanged {
		return
	}
	e := &AuditEntry{
		Seq: s.auditSeq + 1, Time: s.now, Actor: c.Actor, Action: action, Object: object, Detail: detail,
		Outcome: "done", RequestID: c.ID, Revision: out.Revision,
	}
	if n, ok := c.Body.(Note); ok {
		e.Outcome = n.Outcome
	}
	if err != nil {
		e.Outcome = Code(err)
	}
	e.Previous = s.audit.last()
	e.Hash = HashEntry(*e)
	s.audit.add(e)
	s.auditSeq++
	s.mix(sumWord(e.Hash))
}

// describe names what a command does, without any secret of it.
func describe(body Body) (action, object, detail string) {
	switch b := body.(type) {
	case CreateCluster:
		return "cluster.create", b.Name, ""
	case RemovePeer:
		return "peer.remove", b.ID, ""
	case CreateJoinToken:
		return "cluster.token.create", b.Token.ID, ""
	case UseJoinToken:
		return "cluster.join", b.Peer, "token " + b.ID
	case RaiseFeature:
		return "cluster.feature", fmt.Sprint(b.Level), ""
	case PutSettings:
		return "cluster.settings", "", ""
	case Commit:
		names := make([]string, len(b.Edits))
		for i, e := range b.Edits {
			names[i] = e.Document
			if e.Delete {
				names[i] += " (delete)"
			}
		}
		return "change.commit", bounded(strings.Join(names, ", "), 400), b.Message
	case Note:
		return b.Action, b.Object, b.Detail
	}
	return describeFleet(body)
}

func describeFleet(body Body) (action, object, detail string) {
	switch b := body.(type) {
	case CreateEnrollToken:
		return "node.enroll.token", b.Token.Node, fmt.Sprintf("token %s, %d uses", b.Token.ID, b.Token.Uses)
	case EnrollNode:
		return "node.enroll", b.Node, "token " + b.TokenID
	case LabelNode:
		return "node.label", b.Node, describeLabels(b.Labels)
	case RemoveNode:
		return "node.remove", b.Node, ""
	case RetryNodes:
		if b.Resync {
			return "node.resync", bounded(strings.Join(b.Nodes, ", "), 400), fmt.Sprintf("%d nodes", len(b.Nodes))
		}
		return "node.retry", bounded(strings.Join(b.Nodes, ", "), 400), fmt.Sprintf("%d nodes", len(b.Nodes))
	case PutUser:
		return "user.set", b.User.Name, "role " + b.User.Role
	case RemoveUser:
		return "user.remove", b.Name, ""
	case OpenLogin:
		return "login", b.Login.User, ""
	case CloseLogin:
		return "logout", b.ID, ""
	case CreateToken:
		return "token.create", b.Token.Name, "id " + b.Token.ID + ", role " + b.Token.Role
	case RemoveToken:
		return "token.remove", b.ID, ""
	}
	return describeInstances(body)
}

func describeInstances(body Body) (action, object, detail string) {
	switch b := body.(type) {
	case PutInstance:
		action = "instance.set"
		if b.Create {
			action = "instance.add"
		}
		if b.URL != nil {
			detail = bounded(*b.URL, 400)
		}
		return action, b.ID, detail
	case PutDiscovery:
		return "discovery.add", b.Discovery.ID, bounded(b.Discovery.Type+" "+b.Discovery.Config, 400)
	case RemoveDiscovery:
		return "discovery.remove", b.ID, ""
	case Discovered:
		return "discovery.found", b.ID, fmt.Sprintf("%d instances", len(b.Found))
	case DiscardDeadLetters:
		return "deadletter.discard", bounded(strings.Join(b.Nodes, ", "), 400), fmt.Sprintf("%d nodes", len(b.Nodes))
	}
	return "", "", ""
}

func describeLabels(labels map[string]*string) string {
	var parts []string
	for _, k := range sortedKeys(labels) {
		if v := labels[k]; v != nil {
			parts = append(parts, k+"="+*v)
		} else {
			parts = append(parts, k+"-")
		}
	}
	return bounded(strings.Join(parts, " "), 400)
}

func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// Audit returns the entries that retention keeps.
func (s *State) Audit() AuditLog { return s.audit.clip() }
