package fsm

import (
	"crypto/sha256"
	"fmt"
)

// Blob is a content-addressed text, zstd-compressed by the proposer, so that
// all peers hold the same bytes. Versions with equal text share it.
type Blob struct {
	Size int    `cbor:"1,keyasint"` // of the text
	Data []byte `cbor:"2,keyasint"`
	refs int
	Born int64 `cbor:"3,keyasint,omitempty"` // when it was stored: an orphan is kept for an hour
}

// StoreBlob stores a part of a blob that is too large to travel inside the
// Commit which uses it. Parts come in order; the last one completes it.
type StoreBlob struct {
	Sum    Sum    `cbor:"1,keyasint"` // SHA-256 of the text
	Size   int    `cbor:"2,keyasint"` // of the text
	Total  int    `cbor:"3,keyasint"` // compressed bytes
	Offset int    `cbor:"4,keyasint"`
	Data   []byte `cbor:"5,keyasint"`
}

// Kind is the persisted number of the command.
func (StoreBlob) Kind() Kind { return 10 }

// InlineBlob is the number of compressed bytes up to which a content travels
// inside its Commit.
const InlineBlob = 96 << 10

// BlobPart is the number of bytes in one StoreBlob.
const BlobPart = 384 << 10

type partialBlob struct {
	Size int    `cbor:"1,keyasint"`
	Data []byte `cbor:"2,keyasint"`
	Born int64  `cbor:"3,keyasint"`
}

// Compress makes the blob of a text and its sum.
func Compress(text []byte) (Sum, *Blob) {
	return sha256.Sum256(text), &Blob{Size: len(text), Data: encoder.EncodeAll(text, nil)}
}

// Text returns the content of the blob.
func (b *Blob) Text() ([]byte, error) {
	text, err := decoder.DecodeAll(b.Data, make([]byte, 0, b.Size))
	if err != nil {
		return nil, fmt.Errorf("stored content is damaged: %w", err)
	}
	return text, nil
}

func (s *State) applyStoreBlob(c StoreBlob) error {
	if s.blobs[c.Sum] != nil {
		return nil // somebody stored it already
	}
	p := s.partial[c.Sum]
	if c.Offset == 0 {
		p = &partialBlob{Size: c.Size, Born: s.now}
	}
	if p == nil || len(p.Data) != c.Offset || c.Offset+len(c.Data) > c.Total {
		return errorf(CodeConflict, "part at %d of a content does not continue what is stored; send it again from the start", c.Offset)
	}
	next := &partialBlob{Size: p.Size, Born: p.Born, Data: append(p.Data[:len(p.Data):len(p.Data)], c.Data...)}
	if len(next.Data) < c.Total {
		s.partial[c.Sum] = next
		return nil
	}
	delete(s.partial, c.Sum)
	blob := &Blob{Size: next.Size, Data: next.Data, Born: s.now}
	text, err := blob.Text()
	if err != nil || Sum(sha256.Sum256(text)) != c.Sum {
		return errorf(CodeInvalid, "the stored content does not have the sum it was announced with")
	}
	s.blobs[c.Sum] = blob
	return nil
}

// Blob returns a blob, or nil.
func (s *State) Blob(sum Sum) *Blob { return s.blobs[sum] }

func (s *State) useBlob(sum Sum)     { s.blobs[sum].refs++ }
func (s *State) releaseBlob(sum Sum) { s.blobs[sum].refs-- }
