package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Key is the member that changes, and Pointer its JSON Pointer.
const (
	Key     = "rate_042"
	Pointer = "/limits/" + Key
)

// Value is the text of the changing member after n changes. It always has the
// same length, so that the size of the document does not change.
func Value(n uint64) string { return fmt.Sprintf("%012d", n) }

// Document makes a document of at most size bytes, and at most a hundred less,
// as a router might have one.
func Document(size int, value string) []byte {
	var b strings.Builder
	b.WriteString(`{"interfaces":{`)
	tail := `},"limits":{"burst":64,"` + Key + `":"` + value + `","window":"10s"},"version":7}`
	for i := 0; ; i++ {
		entry := fmt.Sprintf(`,"if%04d":{"address":"10.%d.%d.1/24","mtu":%d,"description":"uplink %d"}`, i, i/250, i%250, 1400+i%100, i)
		if i == 0 {
			entry = entry[1:]
		}
		if b.Len()+len(entry)+len(tail) > size {
			break
		}
		b.WriteString(entry)
	}
	b.WriteString(tail)
	return []byte(b.String())
}

// Patch is the change as the API takes it: RFC 6902, one operation.
func Patch(value string) []byte {
	return []byte(`[{"op":"replace","path":"` + Pointer + `","value":"` + value + `"}]`)
}

// Table of CRC-32C, which processors compute.
func table() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// CRC is the CRC-32C of the whole document.
func CRC(text []byte) uint32 { return crc32.Checksum(text, table()) }

// Splice is a change of a text: Cut bytes at At give way to Put.
type Splice struct {
	At, Cut int
	Put     []byte
}

// Between finds the one splice that makes a text out of another.
func Between(from, to []byte) Splice {
	head := 0
	for head < len(from) && head < len(to) && from[head] == to[head] {
		head++
	}
	tail := 0
	for tail < len(from)-head && tail < len(to)-head && from[len(from)-1-tail] == to[len(to)-1-tail] {
		tail++
	}
	return Splice{head, len(from) - head - tail, bytes.Clone(to[head : len(to)-tail])}
}

// Apply changes a text in place, where its length allows it.
func (s Splice) Apply(text []byte) []byte {
	if s.Cut == len(s.Put) {
		copy(text[s.At:], s.Put)
		return text
	}
	tail := text[s.At+s.Cut:]
	out := make([]byte, 0, len(text)-s.Cut+len(s.Put))
	return append(append(append(out, text[:s.At]...), s.Put...), tail...)
}

// FloorFrame is the size of the floor's frame.
const FloorFrame = 200

// Floor is the change as the floor tells it.
type Floor struct {
	Type  string `json:"type"`
	N     uint64 `json:"n"`
	At    int    `json:"at"`
	Value string `json:"value"`
	CRC   uint32 `json:"crc"`
	Pad   string `json:"pad"`
}

// FloorMessage is the frame of the n-th change of a document: 200 bytes.
func FloorMessage(n uint64, document []byte) ([]byte, error) {
	at := bytes.Index(document, []byte(`"`+Key+`":"`)) + len(Key) + 4
	f := Floor{Type: "change", N: n, At: at, Value: Value(n)}
	copy(document[at:], f.Value)
	f.CRC = CRC(document)
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	f.Pad = strings.Repeat("x", FloorFrame-len(text))
	return json.Marshal(f)
}

const confirmation = `{"type":"confirmed","n":`

// Confirmation is the floor's answer.
func Confirmation(to []byte, n uint64) []byte {
	return append(strconv.AppendUint(append(to, confirmation...), n, 10), '}')
}

// Confirmed reads a confirmation.
func Confirmed(text []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(text, []byte(confirmation))
	if !ok || !bytes.HasSuffix(rest, []byte("}")) {
		return 0, false
	}
	var n uint64
	for _, c := range rest[:len(rest)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}
