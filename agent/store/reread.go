package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/droverhq/drover/document"
)

// maxFile bounds the reading of a rendered file: a document of the largest
// size that can be set, with room to spare.
const maxFile = 64 << 20

// Text returns the copy of a document as it was received, and ErrDamaged when
// it is no longer that.
func (s *Store) Text(g *Generation, target string) ([]byte, error) {
	d := g.Find(target)
	if d == nil {
		return nil, fmt.Errorf("document %s: %w", target, fs.ErrNotExist)
	}
	text, _, err := ReadFile(s.root, path.Join(g.dir(), receivedName(target)), maxFile)
	if err != nil {
		return nil, err
	}
	if digest(text) != d.Received {
		return nil, fmt.Errorf("the copy of document %s as received: %w", target, ErrDamaged)
	}
	return text, nil
}

// Held is what a node has on its disk, as applications see it.
type Held struct {
	Entries []document.Entry // sorted like the generation's documents
	Drifted []string         // targets whose file is not what was written, or is gone
	stamps  map[string]stamp
}

// stamp is what a file looked like when it was last hashed.
type stamp struct {
	modified time.Time
	size     int64
}

// Manifest is the checksum of what is held.
func (h Held) Manifest() document.Checksum { return document.ManifestSum(h.Entries) }

// Read hashes every file of a generation below current. A file with other
// bytes than were written counts as its own hash, a missing one is left out,
// so that the manifest of a node that drifted is never that of one that did
// not.
func (s *Store) Read(g *Generation) Held {
	held := Held{stamps: map[string]stamp{}}
	if g == nil {
		return held
	}
	for _, d := range g.Documents {
		content, modified, err := ReadFile(s.root, path.Join(current, d.Target+".json"), maxFile)
		if err != nil {
			held.Drifted = append(held.Drifted, d.Target)
			continue
		}
		held.stamps[d.Target] = stamp{modified, int64(len(content))}
		sum, err := document.ParseChecksum(d.Checksum)
		if err != nil || digest(content) != d.File {
			held.Drifted = append(held.Drifted, d.Target)
			sum = sha256.Sum256(content)
		}
		held.Entries = append(held.Entries, document.Entry{Target: d.Target, Checksum: sum})
	}
	return held
}

// Touched tells cheaply, without reading content, whether a file may have
// changed since held was read.
func (s *Store) Touched(g *Generation, held Held) bool {
	if g == nil {
		return false
	}
	for _, d := range g.Documents {
		info, err := s.root.Stat(path.Join(current, d.Target+".json"))
		was, known := held.stamps[d.Target]
		switch {
		case errors.Is(err, fs.ErrNotExist) && !known:
		case err != nil || !known:
			return true
		case !info.ModTime().Equal(was.modified) || info.Size() != was.size:
			return true
		}
	}
	return false
}
