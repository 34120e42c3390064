package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// Checksum is the SHA-256 of the canonical form of a document, or of a
// manifest. Its text is base64url without padding, 43 characters.
type Checksum [sha256.Size]byte

// Sum returns the checksum of a document: SHA-256 of its RFC 8785 form, so that
// two texts with one JSON value have one checksum.
func Sum(text []byte) (Checksum, error) {
	canonical, err := Canonical(text)
	if err != nil {
		return Checksum{}, err
	}
	return sha256.Sum256(canonical), nil
}

// checksumText is the length of a checksum as text.
const checksumText = 43

var strictBase64 = base64.RawURLEncoding.Strict()

// ParseChecksum reads what Checksum.String wrote; any other spelling is refused.
func ParseChecksum(s string) (Checksum, error) {
	var c Checksum
	var text [checksumText]byte // every confirmation has one: nothing is allocated
	n := copy(text[:], s)
	if n == len(s) && n == len(text) {
		// Line breaks, which the decoder skips, make it come out short.
		if n, err := strictBase64.Decode(c[:], text[:]); err == nil && n == len(c) {
			return c, nil
		}
	}
	return Checksum{}, &Error{CodeBadChecksum, "", "a checksum is 43 characters of base64url without padding"}
}

// String returns base64url without padding.
func (c Checksum) String() string { return base64.RawURLEncoding.EncodeToString(c[:]) }

// MarshalText implements encoding.TextMarshaler.
func (c Checksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Checksum) UnmarshalText(text []byte) error {
	parsed, err := ParseChecksum(string(text))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

// IsZero tells the zero Checksum, which is the checksum of nothing.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// Entry is one document of a manifest.
type Entry struct {
	Target   string
	Checksum Checksum
}

// ManifestSum returns the checksum of a manifest: the SHA-256 of the UTF-8 text
//
//	[["target","checksum"],["target","checksum"]]
//
// that is, of the RFC 8785 form of an array with one [target, checksum] pair
// for each entry, sorted by the bytes of the targets, the checksums written in
// base64url without padding. Entries may come in any order. A target occurs
// once; should one occur twice, its checksums are sorted as bytes.
//
// The empty manifest is the text [], and its checksum is
// T1PNoYwrqgwDVLtfmj7L5e0Sq02OEbqHPC8RFhICuUU.
func ManifestSum(entries []Entry) Checksum {
	compare := func(a, b Entry) int {
		if c := strings.Compare(a.Target, b.Target); c != 0 {
			return c
		}
		return bytes.Compare(a.Checksum[:], b.Checksum[:])
	}
	if !slices.IsSortedFunc(entries, compare) {
		entries = slices.Clone(entries)
		slices.SortFunc(entries, compare)
	}
	text := make([]byte, 0, 2+len(entries)*80)
	text = append(text, '[')
	for i, e := range entries {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, '[')
		text = appendQuoted(text, e.Target)
		text = append(text, ',', '"')
		text = base64.RawURLEncoding.AppendEncode(text, e.Checksum[:])
		text = append(text, '"', ']')
	}
	return sha256.Sum256(append(text, ']'))
}
