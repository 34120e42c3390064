package fsm

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"
)

// FeatureLevel is the highest level that this build can apply. A command that
// needs a level above the cluster's is refused until the leader has raised it,
// which it does when every member reports it.
const FeatureLevel = 2

// Kind is the persisted number of a command. Numbers are never reused.
type Kind uint16

// Command is one entry of the replicated log. The proposer fills everything
// but the body's effect: Apply reads no clock and makes no ids.
type Command struct {
	ID    string `cbor:"1,keyasint,omitempty"` // request id: the same id is applied once
	Time  int64  `cbor:"2,keyasint"`           // Unix time in milliseconds, by the proposer
	Actor Actor  `cbor:"3,keyasint,omitempty"`
	Term  uint64 `cbor:"4,keyasint,omitempty"` // set by leader duties: refused in another term
	Once  Once   `cbor:"5,keyasint,omitempty"`
	Body  Body   `cbor:"-"`
}

// Actor is who asked for a command, as the audit shows it.
type Actor struct {
	Name    string `cbor:"1,keyasint,omitempty"`
	Kind    string `cbor:"2,keyasint,omitempty"` // user, token, node, peer
	Address string `cbor:"3,keyasint,omitempty"`
}

// Once is an Idempotency-Key with the hash of the request it came with.
type Once struct {
	Key  string `cbor:"1,keyasint,omitempty"`
	Hash []byte `cbor:"2,keyasint,omitempty"`
}

// Body is what a command does: one of the command structs of this package.
type Body interface{ Kind() Kind }

// Encodings of an entry: its first byte.
const (
	formatPlain = 1
	formatZstd  = 2
)

// compressAbove is the size in bytes from which an entry is compressed.
const compressAbove = 2 << 10

// MaxEntry is the largest encoded command in bytes: larger contents are stored
// by StoreBlob commands first, because Raft's batches count entries.
const MaxEntry = 512 << 10

// ErrTooLarge is returned by Encode for an entry above MaxEntry.
var ErrTooLarge = errors.New("command is larger than a log entry may be")

type envelope struct {
	Kind    Kind            `cbor:"1,keyasint"`
	Command Command         `cbor:"2,keyasint"`
	Body    cbor.RawMessage `cbor:"3,keyasint"`
}

// Encode makes the log entry of a command.
func Encode(c Command) ([]byte, error) {
	body, err := cbor.Marshal(c.Body)
	if err != nil {
		return nil, fmt.Errorf("encode command %d: %w", c.Body.Kind(), err)
	}
	raw, err := cbor.Marshal(envelope{Kind: c.Body.Kind(), Command: c, Body: body})
	if err != nil {
		return nil, fmt.Errorf("encode command %d: %w", c.Body.Kind(), err)
	}
	// An entry that cannot be read back would stop every peer for good.
	if _, err := decodeEnvelope(raw); err != nil {
		return nil, fmt.Errorf("encode command %d: it could not be read back: %w", c.Body.Kind(), err)
	}
	out := append([]byte{formatPlain}, raw...)
	if len(raw) > compressAbove {
		out = encoder.EncodeAll(raw, []byte{formatZstd})
	}
	if len(out) > MaxEntry {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrTooLarge, len(out), MaxEntry)
	}
	return out, nil
}

// ErrUnknownCommand stops a peer: the entry was written by a newer version, or
// is damaged, and skipping it would let the replicas diverge.
var ErrUnknownCommand = errors.New("log entry cannot be applied by this version")

// Decode reads a log entry.
func Decode(entry []byte) (Command, error) {
	if len(entry) == 0 {
		return Command{}, fmt.Errorf("%w: it is empty", ErrUnknownCommand)
	}
	raw := entry[1:]
	switch entry[0] {
	case formatPlain:
	case formatZstd:
		var err error
		if raw, err = decoder.DecodeAll(raw, nil); err != nil {
			return Command{}, fmt.Errorf("%w: %w", ErrUnknownCommand, err)
		}
	default:
		return Command{}, fmt.Errorf("%w: format %d", ErrUnknownCommand, entry[0])
	}
	return decodeEnvelope(raw)
}

func decodeEnvelope(raw []byte) (Command, error) {
	var e envelope
	if err := cbor.Unmarshal(raw, &e); err != nil {
		return Command{}, fmt.Errorf("%w: %w", ErrUnknownCommand, err)
	}
	body, err := decodeBody(e.Kind, e.Body)
	if err != nil {
		return Command{}, err
	}
	e.Command.Body = body
	return e.Command, nil
}

func decodeBody(kind Kind, raw []byte) (Body, error) {
	switch kind {
	case 1:
		return decodeAs[CreateCluster](raw)
	case 2:
		return decodeAs[PutPeer](raw)
	case 3:
		return decodeAs[RemovePeer](raw)
	case 4:
		return decodeAs[SetLiveness](raw)
	case 5:
		return decodeAs[CreateJoinToken](raw)
	case 6:
		return decodeAs[UseJoinToken](raw)
	case 7:
		return decodeAs[RaiseFeature](raw)
	case 8:
		return decodeAs[PutSettings](raw)
	case 9:
		return decodeAs[Prune](raw)
	case 10:
		return decodeAs[StoreBlob](raw)
	case 11:
		return decodeAs[Commit](raw)
	case 20:
		return decodeAs[CreateEnrollToken](raw)
	case 21:
		return decodeAs[EnrollNode](raw)
	case 22:
		return decodeAs[LabelNode](raw)
	case 23:
		return decodeAs[RemoveNode](raw)
	case 24:
		return decodeAs[RetryNodes](raw)
	case 25:
		return decodeAs[Reports](raw)
	case 26:
		return decodeAs[EndPush](raw)
	case 30:
		return decodeAs[PutUser](raw)
	case 31:
		return decodeAs[RemoveUser](raw)
	case 32:
		return decodeAs[OpenLogin](raw)
	case 33:
		return decodeAs[CloseLogin](raw)
	case 34:
		return decodeAs[CreateToken](raw)
	case 35:
		return decodeAs[RemoveToken](raw)
	case 40:
		return decodeAs[Note](raw)
	case 50:
		return decodeAs[PutInstance](raw)
	case 51:
		return decodeAs[PutDiscovery](raw)
	case 52:
		return decodeAs[RemoveDiscovery](raw)
	case 53:
		return decodeAs[Discovered](raw)
	case 54:
		return decodeAs[DiscardDeadLetters](raw)
	}
	return nil, fmt.Errorf("%w: command %d is unknown; this peer must be upgraded before it can go on", ErrUnknownCommand, kind)
}

func decodeAs[B Body](raw []byte) (Body, error) {
	var b B
	if err := cbor.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("%w: command %d: %w", ErrUnknownCommand, b.Kind(), err)
	}
	return b, nil
}

var (
	encoder = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true)))
	decoder = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
