package api

import (
	"strconv"
	"strings"

	"github.com/droverhq/drover/fsm"
)

// nodeQuery is the parsed text of ?q=: words that a node's name, URL or a label has
// to hold, and key=value terms. Terms of one key are alternatives, different
// keys must all hold. Keys are status, in_sync, connected, peer, document,
// kind, drift (held or healing), of instances source and gone, or the key of any label.
type nodeQuery struct {
	words []string
	terms map[string][]string
}

func parseNodeQuery(text string) (nodeQuery, error) {
	q := nodeQuery{terms: map[string][]string{}}
	for _, part := range strings.Fields(text) {
		key, value, found := strings.Cut(part, "=")
		if !found || key == "" || value == "" {
			q.words = append(q.words, strings.ToLower(part))
			continue
		}
		q.terms[key] = append(q.terms[key], value)
	}
	for _, status := range q.terms["status"] {
		if err := knownStatus(status); err != nil {
			return q, err
		}
	}
	return q, nil
}

// matcher makes the query ready for one state; it is used inside View only.
func (q nodeQuery) matcher(st *fsm.State) func(*fsm.Node) bool {
	var holders map[uint32]bool
	if names := q.terms["document"]; names != nil {
		holders = map[uint32]bool{}
		for _, name := range names {
			st.Holders(name, func(ord uint32) { holders[ord] = true })
		}
	}
	return func(n *fsm.Node) bool {
		for key, values := range q.terms {
			if key == "document" {
				if !holders[n.Ordinal] {
					return false
				}
			} else if !anyOf(values, valueOf(st, n, key)) {
				return false
			}
		}
		for _, word := range q.words {
			if !mentions(n, word) {
				return false
			}
		}
		return true
	}
}

func anyOf(values []string, value string) bool {
	for _, v := range values {
		if v == value {
			return true
		}
	}
	return false
}

// valueOf is what a term's key stands for on a node.
func valueOf(st *fsm.State, n *fsm.Node, key string) string {
	switch key {
	case "status":
		return string(st.Status(n.Ordinal))
	case "in_sync":
		return strconv.FormatBool(st.Converged(n.Ordinal))
	case "connected":
		return strconv.FormatBool(st.Row(n.Ordinal).Connected)
	case "peer":
		return peerName(st, st.Row(n.Ordinal))
	case "kind":
		return n.Kind
	case "drift":
		return driftWord(st, n)
	}
	if n.Instance != nil {
		switch key {
		case "source":
			return sourceOf(n.Instance)
		case "gone":
			return strconv.FormatBool(n.Instance.Gone != 0)
		}
	}
	return n.Labels[key]
}

func mentions(n *fsm.Node, word string) bool {
	if strings.Contains(strings.ToLower(n.ID), word) || n.Instance != nil && strings.Contains(strings.ToLower(n.Instance.URL), word) {
		return true
	}
	for k, v := range n.Labels {
		if strings.Contains(strings.ToLower(k+"="+v), word) {
			return true
		}
	}
	return false
}
