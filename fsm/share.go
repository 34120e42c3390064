package fsm

import "maps"

// sharer makes nodes that say the same of themselves hold the same maps and
// texts: most of a fleet does, and decoding makes new ones for each node. It
// knows only the latest of each, and is no part of the state.
type sharer struct {
	labels, facts       map[string]string
	kind, version, peer string
}

func (h *sharer) node(n *Node) {
	shareMap(&h.labels, &n.Labels)
	shareMap(&h.facts, &n.Facts)
	shareText(&h.kind, &n.Kind)
	shareText(&h.version, &n.AgentVersion)
}

func (h *sharer) row(r *Row) { shareText(&h.peer, &r.Session.Peer) }

func shareMap(latest, of *map[string]string) {
	if len(*of) == 0 {
		return
	}
	if maps.Equal(*latest, *of) {
		*of = *latest
	}
	*latest = *of
}

func shareText(latest, of *string) {
	if *latest == *of {
		*of = *latest
	}
	*latest = *of
}
