package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrUnknownType is returned by Decode for a type that this build does not
// know: the receiver answers with Fault and goes on.
var ErrUnknownType = errors.New("unknown message type")

// ErrMalformed is returned by Decode for a frame that is not one JSON object
// with a "type", has duplicate names, or fields of another JSON type.
var ErrMalformed = errors.New("malformed frame")

// Encode writes a frame with "type" as its first member.
func Encode(m Message) ([]byte, error) {
	// Content stays as it was written, and equal messages are equal bytes.
	body, err := json.Marshal(m, jsontext.PreserveRawStrings(true), json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Kind(), err)
	}
	out := make([]byte, 0, len(body)+len(m.Kind())+12)
	out = append(out, `{"type":"`...)
	out = append(out, m.Kind()...)
	out = append(out, '"')
	if len(body) > 2 {
		out = append(out, ',')
	}
	return append(out, body[1:]...), nil
}

// Decode reads a frame. Unknown members are ignored, so that either side may
// be newer; names are matched exactly and may not repeat.
func Decode(frame []byte) (Message, error) {
	kind, err := typeOf(frame)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "challenge":
		return decode[Challenge](kind, frame)
	case "hello":
		return decode[Hello](kind, frame)
	case "config_ack":
		return decode[Ack](kind, frame)
	case "config_error":
		return decode[Error](kind, frame)
	case "status":
		return decode[Status](kind, frame)
	case "welcome":
		return decode[Welcome](kind, frame)
	case "report":
		return decode[Report](kind, frame)
	case "config_update":
		return decode[Update](kind, frame)
	case "keys":
		return decode[Keys](kind, frame)
	case "peers":
		return decode[Peers](kind, frame)
	case "goaway":
		return decode[Goaway](kind, frame)
	case "error":
		return decode[Fault](kind, frame)
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownType, bounded(kind, 40))
}

func decode[M Message](kind string, frame []byte) (Message, error) {
	var m M
	if err := json.Unmarshal(frame, &m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, kind, err)
	}
	return m, nil
}

// typeOf reads the "type" member, which ours puts first and others may not.
func typeOf(frame []byte) (string, error) {
	const prefix = `{"type":"`
	if bytes.HasPrefix(frame, []byte(prefix)) {
		rest := frame[len(prefix):]
		if end := bytes.IndexByte(rest, '"'); end >= 0 && bytes.IndexByte(rest[:end], '\\') < 0 {
			return string(rest[:end]), nil
		}
	}
	var head struct {
		Type jsontext.Value `json:"type"`
	}
	if err := json.Unmarshal(frame, &head); err != nil {
		return "", fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var kind string
	if err := json.Unmarshal(head.Type, &kind); err != nil || head.Type.Kind() != '"' {
		return "", fmt.Errorf("%w: the member \"type\" is missing or no string", ErrMalformed)
	}
	return kind, nil
}

func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
