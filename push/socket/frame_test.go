package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// masked is a frame as a client sends it.
func masked(first byte, data []byte) []byte {
	f := Frame(Text, data)
	begin := len(f) - len(data)
	mask := [4]byte{1, 2, 3, 4}
	out := append(slices.Clone(f[:begin]), mask[:]...)
	out[0], out[1] = first, out[1]|0x80
	body := slices.Clone(data)
	for i := range body {
		body[i] ^= mask[i&3]
	}
	return append(out, body...)
}

// heard is what a Conn delivers, as text.
func heard(c *Conn, pieces ...[]byte) (out []string, err error) {
	for _, p := range pieces {
		err = c.feed(slices.Clone(p), func(op Op, data []byte) error {
			out = append(out, string('0'+rune(op))+string(data))
			return nil
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func TestBrokenFramesAreRefused(t *testing.T) {
	tooLong := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<63)
	for _, c := range []struct {
		name string
		sent []byte
		code int
	}{
		{"not masked", Frame(Text, []byte("x")), codeProtocol},
		{"compressed", masked(0xc1, []byte("x")), codeProtocol},
		{"unknown kind", masked(0x83, nil), codeProtocol},
		{"unknown control kind", masked(0x8b, nil), codeProtocol},
		{"long ping", masked(0x89, make([]byte, 126)), codeProtocol},
		{"ping in parts", masked(0x09, nil), codeProtocol},
		{"a part of nothing", masked(0x80, []byte("x")), codeProtocol},
		{"a message within another", append(masked(0x01, []byte("x")), masked(0x81, []byte("y"))...), codeProtocol},
		{"too large", masked(0x81, make([]byte, 1001)), codeTooBig},
		{"too large in parts", append(masked(0x01, make([]byte, 600)), masked(0x80, make([]byte, 401))...), codeTooBig},
		{"a length that overflows", tooLong, codeTooBig},
	} {
		conn := &Conn{limit: 1000}
		out, err := heard(conn, c.sent)
		var broken *Error
		if !errors.As(err, &broken) || broken.Code != c.code {
			t.Errorf("%s: %q, %v", c.name, out, err)
		}
		if out, err := heard(conn, masked(0x81, []byte("x"))); out != nil || err != nil {
			t.Errorf("%s: what came behind it was taken: %q, %v", c.name, out, err)
		}
	}
}

func TestFramesMayComeInAnyPieces(t *testing.T) {
	kinds := []byte{0x81, 0x82, 0x89, 0x8a}
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []string
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			size := rapid.SampledFrom([]int{0, 1, 7, 8, 9, 125, 126, 300, 70000}).Draw(t, "size")
			text := strings.Repeat("abcdefghij", size/10+1)[:size]
			first := rapid.SampledFrom(kinds).Draw(t, "kind")
			if first >= 0x88 {
				text = text[:min(len(text), 125)]
			}
			if cut := len(text) / 2; first < 0x88 && rapid.Bool().Draw(t, "parts") {
				stream = append(stream, masked(first&0xf, []byte(text[:cut]))...)
				stream = append(stream, masked(0x89, []byte("!"))...)
				stream = append(stream, masked(0x80, []byte(text[cut:]))...)
				want = append(want, "9!", "1"+text)
				continue
			}
			stream = append(stream, masked(first, []byte(text))...)
			if first == 0x82 {
				first = 0x81
			}
			want = append(want, string('0'+rune(first&0xf))+text)
		}
		c := &Conn{limit: 1 << 20}
		var got []string
		for len(stream) > 0 {
			n := rapid.IntRange(1, min(len(stream), rapid.SampledFrom([]int{1, 3, 200, 20000}).Draw(t, "most"))).Draw(t, "piece")
			if len(stream) > 60000 {
				n = max(n, 10000)
			}
			out, err := heard(c, stream[:n])
			if err != nil {
				t.Fatal(err)
			}
			got, stream = append(got, out...), stream[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d messages, not %d, or other ones", len(got), len(want))
		}
		if c.partial != nil {
			t.Errorf("%d and %d bytes are kept", len(c.partial.rest), len(c.partial.message))
		}
	})
}

func TestFramesAreWrittenAsTheRFCShowsThem(t *testing.T) {
	// RFC 6455, 5.7.
	if f := Frame(Text, []byte("Hello")); !bytes.Equal(f, []byte("\x81\x05Hello")) {
		t.Errorf("% x", f)
	}
	if f := Frame(Ping, []byte("Hello")); !bytes.Equal(f, []byte("\x89\x05Hello")) {
		t.Errorf("% x", f)
	}
	if f := Frame(other, make([]byte, 256)); !bytes.HasPrefix(f, []byte{0x82, 0x7e, 1, 0}) || len(f) != 260 {
		t.Errorf("% x", f[:4])
	}
	if f := Frame(other, make([]byte, 65536)); !bytes.HasPrefix(f, []byte{0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}) {
		t.Errorf("% x", f[:10])
	}
	masked := []byte{0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}
	if out, err := heard(&Conn{limit: 9}, masked); err != nil || !slices.Equal(out, []string{"1Hello"}) {
		t.Errorf("%q, %v", out, err)
	}
	if f := CloseFrame(1000, strings.Repeat("x", 500)); len(f) != 127 {
		t.Errorf("a close frame has %d bytes", len(f))
	}
}

// A ping between the parts of a message is none of it (RFC 6455, 5.4).
func TestAControlFrameIsNoPartOfAMessage(t *testing.T) {
	ping := append([]byte{0x89, 0x80 | 20, 0, 0, 0, 0}, make([]byte, 20)...)
	if h, whole, err := parseHeader(ping, 5); err != nil || !whole || h.op != Ping {
		t.Errorf("a message may have 5 more bytes, and a ping of 20 is refused: %v", err)
	}
}
