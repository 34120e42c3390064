package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// pageSize is what one call of a list asks for.
const pageSize = 1000

// Item is an element of a list: what the peer wrote, and what this program
// understands of it.
type Item[T any] struct {
	Raw   json.RawMessage
	Value T
}

// List reads all pages of a list, or the first limit items of it where limit
// is above 0.
func List[T any](ctx context.Context, c *Client, path string, query url.Values, limit int) ([]Item[T], error) {
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	var out []Item[T]
	for {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(out))
		}
		q.Set("limit", strconv.Itoa(size))
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if _, err := c.Get(ctx, path, q, &page); err != nil {
			return nil, err
		}
		for _, raw := range page.Items {
			item, err := parse[T](raw)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		if limit > 0 && len(out) >= limit { // short lists are answered whole
			return out[:limit], nil
		}
		if page.Next == "" || page.Next == q.Get("cursor") {
			return out, nil
		}
		q.Set("cursor", page.Next)
	}
}

// One reads a single object.
func One[T any](ctx context.Context, c *Client, path string, query url.Values) (Item[T], error) {
	a, err := c.Get(ctx, path, query, nil)
	if err != nil {
		return Item[T]{}, err
	}
	return parse[T](a.Body)
}

// Write sends a body and reads the object of the answer.
func Write[T any](ctx context.Context, c *Client, r Request) (Item[T], error) {
	a, err := c.Do(ctx, r)
	if err != nil {
		return Item[T]{}, err
	}
	return parse[T](a.Body)
}

func parse[T any](raw json.RawMessage) (Item[T], error) {
	item := Item[T]{Raw: raw}
	if len(raw) == 0 {
		return item, nil
	}
	if err := json.Unmarshal(raw, &item.Value); err != nil {
		return item, fmt.Errorf("the answer is none of a Drover controller: %w", err)
	}
	return item, nil
}
