package fsm

// DiscardDeadLetters takes dead letters off the list of those that wait for a
// person. The nodes stay as they are, and are tried again when something newer
// is wanted of them.
type DiscardDeadLetters struct {
	Nodes []string `cbor:"1,keyasint"`
}

// Kind is the persisted number of the command.
func (DiscardDeadLetters) Kind() Kind { return 54 }

func (s *State) applyDiscardDeadLetters(c DiscardDeadLetters) (Outcome, error) {
	done := 0
	for _, id := range c.Nodes {
		n := s.nodes[id]
		if n == nil || !s.DeadLetter(n.Ordinal) {
			continue
		}
		row := *s.rows[n.Ordinal]
		row.Discarded = 1 + s.Since(n.Ordinal)
		s.rows[n.Ordinal] = &row
		s.eventNode(n.Ordinal)
		done++
	}
	return Outcome{Count: done}, nil
}

// DeadLetter tells whether a node waits for a person: it used up its attempts or
// refused for good, and nobody has discarded that.
func (s *State) DeadLetter(ord uint32) bool {
	row := s.rows[ord]
	return (row.fallen != nil || s.Stuck(ord)) && row.Discarded != 1+s.Since(ord)
}
