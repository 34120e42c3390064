package socket

import "sync"

// Ready is a connection that has something to read, with what it was added
// with. Whoever Wait gave it to reads it until Rest returns true.
type Ready struct {
	Conn  *Conn
	Owner any
	// Ended tells that the other side has ended, or both have: what is left can be
	// read, and then the end.
	Ended bool
}

// Who has a connection.
const (
	idle    = 0 // the Poller
	reading = 1 // a reader
	missed  = 2 // a reader, and something has come since
)

// claim tells whether the caller is now the reader.
func (c *Conn) claim() bool {
	for {
		switch c.owned.Load() {
		case idle:
			if c.owned.CompareAndSwap(idle, reading) {
				return true
			}
		case reading:
			if c.owned.CompareAndSwap(reading, missed) {
				return false
			}
		default:
			return false
		}
	}
}

// release gives a connection back, unless something has come meanwhile.
func (c *Conn) release() bool {
	if c.owned.CompareAndSwap(reading, idle) {
		return true
	}
	c.owned.Store(reading)
	return false
}

// table finds connections by number. A number is used again, so that the table
// stays as large as there were connections at a time.
type table struct {
	mu   sync.Mutex
	rows []tableRow
	free []uint32
}

type tableRow struct {
	conn  *Conn
	owner any
	turn  uint32 // tells an event of an earlier holder of the number apart
}

func (t *table) put(c *Conn, owner any) (slot, turn uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		slot = uint32(len(t.rows))
		t.rows = append(t.rows, tableRow{})
	}
	row := &t.rows[slot]
	row.conn, row.owner = c, owner
	c.slot = slot
	return slot, row.turn
}

func (t *table) take(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(c.slot) >= len(t.rows) {
		return
	}
	if row := &t.rows[c.slot]; row.conn == c {
		*row = tableRow{turn: row.turn + 1}
		t.free = append(t.free, c.slot)
	}
}

// at must be called with mu.
func (t *table) at(slot, turn uint32) (Ready, bool) {
	row := t.rows[slot]
	return Ready{Conn: row.conn, Owner: row.owner}, row.conn != nil && row.turn == turn
}
