package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
)

// MaxFrame is the largest frame in bytes. A batch of forwarded commands stays
// well below it.
const MaxFrame = 8 << 20

// frame is one call or one answer. An answer has no method.
type frame struct {
	ID      uint64          `cbor:"1,keyasint"`
	Method  string          `cbor:"2,keyasint,omitempty"`
	Timeout int64           `cbor:"3,keyasint,omitempty"` // milliseconds the caller will wait; 0 = for ever
	Err     *Error          `cbor:"4,keyasint,omitempty"`
	Body    cbor.RawMessage `cbor:"5,keyasint,omitempty"`
}

// Error is what a handler answered instead of a result.
type Error struct {
	Code    string `cbor:"1,keyasint"`
	Message string `cbor:"2,keyasint"`
}

func (e *Error) Error() string { return e.Message }

// Codes of errors that every server can answer.
const (
	CodeUnknownMethod = "unknown_method"
	CodeInternal      = "internal"
)

// Code returns the code that came with an error, or "".
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func encode(f *frame) ([]byte, error) {
	body, err := cbor.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode a frame: %w", err)
	}
	if len(body) > MaxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is above the limit of %d", len(body), MaxFrame)
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...), nil
}

// readFrame reads one frame. Memory is taken as the bytes arrive, so a false
// length costs nothing.
func readFrame(r io.Reader) (*frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > MaxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is above the limit of %d", size, MaxFrame)
	}
	body, err := io.ReadAll(io.LimitReader(r, size))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) < size {
		return nil, io.ErrUnexpectedEOF
	}
	f := new(frame)
	if err := cbor.Unmarshal(body, f); err != nil {
		return nil, fmt.Errorf("decode a frame: %w", err)
	}
	return f, nil
}
