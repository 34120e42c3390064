package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Event is one event of the stream (HTML Living Standard, server-sent events).
// ID is set where the stream can be resumed after this event.
type Event struct {
	ID   string          `json:"id,omitempty"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// Events opens the event stream after the event with id last ("" = from now),
// and calls each for every event until the stream or ctx ends, or each fails.
// A stream that ends is no error: call again with the last id.
func (c *Client) Events(ctx context.Context, last string, each func(Event) error) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if last != "" {
		header.Set("Last-Event-ID", last)
	}
	_, err := c.retry(ctx, func(ctx context.Context, addr string) (*Answer, error) {
		resp, err := c.open(ctx, addr, Request{Method: http.MethodGet, Path: Path("events")}, header, nil)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // the status says enough
			return nil, problem(resp.StatusCode, resp.Header, text)
		}
		return &Answer{Status: resp.StatusCode}, final(readEvents(resp.Body, each))
	})
	return err
}

// final makes an error of the caller one that is not tried again.
func final(err error) error {
	if err == nil {
		return nil
	}
	return &callerError{err}
}

type callerError struct{ error }

func (e *callerError) Unwrap() error { return e.error }

// readEvents parses the stream. What breaks it off is its end.
func readEvents(r io.Reader, each func(Event) error) error {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 4<<20)
	var event Event
	var data []string
	for scan.Scan() {
		field, value, _ := strings.Cut(scan.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case scan.Text() == "":
			if data == nil {
				continue
			}
			event.Data = json.RawMessage(strings.Join(data, "\n"))
			if !json.Valid(event.Data) {
				return fmt.Errorf("the event %q is not JSON", event.Type)
			}
			if err := each(event); err != nil {
				return err
			}
			event, data = Event{}, nil
		case field == "id":
			event.ID = value
		case field == "event":
			event.Type = value
		case field == "data":
			data = append(data, value)
		}
	}
	return nil
}
