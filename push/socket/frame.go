package socket

import (
	"encoding/binary"
	"fmt"
)

// Op is the kind of a frame (RFC 6455, 5.2).
type Op byte

// The kinds of frames that a caller meets.
const (
	more  Op = 0 // a further part of a message
	Text  Op = 1
	other Op = 2 // binary: taken as Text, for what counts is what is in it
	Close Op = 8
	Ping  Op = 9
	Pong  Op = 10
)

// Codes of Error (RFC 6455, 7.4.1).
const (
	codeProtocol = 1002
	codeTooBig   = 1009
)

// Error is a frame that breaks the protocol or a limit. Code is the one that the
// connection is to be closed with.
type Error struct {
	Code   int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

func broken(format string, args ...any) error {
	return &Error{codeProtocol, fmt.Sprintf(format, args...)}
}

// Frame is a whole message in the form in which it is sent.
func Frame(op Op, data []byte) []byte {
	out := make([]byte, 0, len(data)+10)
	out = append(out, 0x80|byte(op))
	switch n := len(data); {
	case n < 126:
		out = append(out, byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(n))
	}
	return append(out, data...)
}

// CloseFrame says why a connection ends. The reason is cut to what a control
// frame may hold.
func CloseFrame(code int, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	return Frame(Close, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// header is the beginning of a frame.
type header struct {
	op   Op
	last bool
	size int // of the whole frame
	data int // where its data begins
	mask [4]byte
}

// parseHeader reads the beginning of a frame of a client. ok is false where it
// is not whole yet.
func parseHeader(b []byte, limit int) (h header, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h.op, h.last = Op(b[0]&0xf), b[0]&0x80 != 0
	control := h.op >= Close
	switch {
	case b[0]&0x70 != 0:
		return h, false, broken("a frame uses bits that were not agreed on")
	case h.op > other && h.op < Close || h.op > Pong:
		return h, false, broken("frame of the unknown kind %d", h.op)
	case b[1]&0x80 == 0:
		return h, false, broken("a frame of a client is not masked")
	}
	length, at := uint64(b[1]&0x7f), 2
	if control && (!h.last || length > 125) {
		return h, false, broken("a control frame is long, or in parts")
	}
	switch length {
	case 126:
		if at = 4; len(b) < at {
			return h, false, nil
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if at = 10; len(b) < at {
			return h, false, nil
		}
		length = binary.BigEndian.Uint64(b[2:])
	}
	if !control && length > uint64(limit) {
		return h, false, &Error{codeTooBig, fmt.Sprintf("a message has more than %d bytes", limit)}
	}
	if len(b) < at+4 {
		return h, false, nil
	}
	copy(h.mask[:], b[at:])
	h.data = at + 4
	h.size = h.data + int(length)
	return h, len(b) >= h.size, nil
}

// unmask undoes what RFC 6455, 5.3 makes clients do, in place.
func unmask(data []byte, mask [4]byte) {
	word := uint64(binary.LittleEndian.Uint32(mask[:]))
	word |= word << 32
	for ; len(data) >= 8; data = data[8:] {
		binary.LittleEndian.PutUint64(data, binary.LittleEndian.Uint64(data)^word)
	}
	for i := range data {
		data[i] ^= mask[i&3]
	}
}
