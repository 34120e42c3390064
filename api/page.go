package api

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Bounds of a list's limit.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// page is a part of a list. Next is absent on the last one.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitzero"`
}

// window is the part of a list that is asked for: up to limit rows behind the
// row with the key after. A cursor is the key of a row, not its place, so rows
// that come and go meanwhile neither repeat nor hide others.
type window struct {
	limit int
	after string
	first bool // there is no cursor
}

func (c *call) window() (window, error) {
	w := window{limit: defaultLimit, first: true}
	if text := c.QueryParam("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return w, failure(codeBadRequest, "limit is %q; it is a number from 1 to %d", clip(text, 40), maxLimit)
		}
		w.limit = min(n, maxLimit)
	}
	text := c.QueryParam("cursor")
	if text == "" {
		return w, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	key, found := strings.CutPrefix(string(raw), "k")
	if err != nil || !found {
		return w, failure(codeBadRequest, "the cursor is none that a list has answered; begin without one")
	}
	w.after, w.first = key, false
	return w, nil
}

func cursorOf(key string) string { return base64.RawURLEncoding.EncodeToString([]byte("k" + key)) }

// numberAfter reads the cursor of a list that is ordered by a number.
func (w window) numberAfter(first uint64) (uint64, error) {
	if w.first {
		return first, nil
	}
	n, err := strconv.ParseUint(w.after, 10, 64)
	if err != nil {
		return 0, failure(codeBadRequest, "the cursor is of another list; begin without one")
	}
	return n, nil
}

// gather fills a page: take is called for each row in order and tells its key;
// more is false when the page is full.
type gather[T any] struct {
	window
	page page[T]
	last string
}

// add puts a row into the page, and tells whether there is room for the next.
// The row beyond the limit is not kept: it only says that there is more.
func (g *gather[T]) add(key string, row func() T) bool {
	if len(g.page.Items) == g.limit {
		g.page.Next = cursorOf(g.last)
		return false
	}
	g.page.Items = append(g.page.Items, row())
	g.last = key
	return true
}

func (g *gather[T]) done() page[T] {
	g.page.Items = notNil(g.page.Items)
	return g.page
}
