package push

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

// An instance reports version hashes and no checksums. What follows turns the
// one into the other: it tells which version of a document, if any, an instance
// holds that reports a hash.

// fingerprint is what an instance that holds a text reports: nothing that could
// be known here where it puts values into placeholders.
type fingerprint struct {
	hash         string
	placeholders bool
}

// fingerprints are computed once for each content.
type fingerprints struct {
	mu    sync.Mutex
	known map[*fsm.Blob]fingerprint
}

const fingerprintsKept = 1024

func newFingerprints() *fingerprints { return &fingerprints{known: map[*fsm.Blob]fingerprint{}} }

func (f *fingerprints) of(b *fsm.Blob) (fingerprint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p, found := f.known[b]; found {
		return p, nil
	}
	text, err := b.Text()
	if err != nil {
		return fingerprint{}, err
	}
	p := fingerprint{placeholders: document.HasPlaceholders(text)}
	if p.hash, err = document.InstanceVersion(text); err != nil {
		return p, err
	}
	if len(f.known) >= fingerprintsKept {
		clear(f.known)
	}
	f.known[b] = p
	return p, nil
}

// expected is one document that an instance is wanted to hold: the versions that
// it may hold are the wanted one, and the one that it last accepted.
type expected struct {
	document, target string
	candidates       []candidate
}

type candidate struct {
	version *fsm.Version
	blob    *fsm.Blob
}

// expect lists, by target, what a node is wanted to hold. It is called inside
// Store.View.
func expect(state *fsm.State, want *fsm.Manifest, row *fsm.Row) []expected {
	var accepted []fsm.Entry
	if row.Accepted != nil {
		accepted = state.EntriesOf(row.Accepted)
	}
	out := make([]expected, 0, len(want.Entries))
	for _, e := range want.Entries {
		x := expected{e.Document, e.Target, []candidate{{e.Version, state.Blob(e.Version.Blob)}}}
		for _, a := range accepted {
			if a.Document == e.Document && a.Version != e.Version {
				x.candidates = append(x.candidates, candidate{a.Version, state.Blob(a.Version.Blob)})
			}
		}
		out = append(out, x)
	}
	return out
}

// baselines are the hashes that an instance reported right after it took texts
// with placeholders, by target.
type baselines map[string]fsm.Baseline

func baselinesOf(o fsm.Observed) baselines {
	out := make(baselines, len(o.Baselines))
	for _, b := range o.Baselines {
		out[b.Target] = b
	}
	return out
}

func (b baselines) list() []fsm.Baseline {
	var out []fsm.Baseline
	for _, x := range b {
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y fsm.Baseline) int { return cmp.Compare(x.Target, y.Target) })
	return out
}

// holds tells whether an instance that reports a hash holds a version. Where it
// cannot be computed, the hash reported right after the push has to do.
func (f *fingerprints) holds(b baselines, target string, c candidate, hash string) (bool, error) {
	p, err := f.of(c.blob)
	if err != nil || !p.placeholders {
		return err == nil && p.hash == hash, err
	}
	base := b[target]
	return base.Version == c.version.Number && base.Hash == hash, nil
}

// have turns the hashes that an instance reports into checksums. Targets in
// dirty hold something that is not known, whatever it reports.
func (f *fingerprints) have(wanted []expected, b baselines, hashes map[string]string, dirty map[string]bool) (map[string]fsm.Sum, error) {
	out := make(map[string]fsm.Sum, len(wanted))
	for _, x := range wanted {
		hash, found := hashes[x.target]
		if !found {
			continue
		}
		out[x.target] = unknownSum(hash)
		if dirty[x.target] {
			continue
		}
		for _, c := range x.candidates {
			holds, err := f.holds(b, x.target, c, hash)
			if err != nil {
				return nil, err
			}
			if holds {
				out[x.target] = c.version.Checksum
				break
			}
		}
	}
	return out, nil
}

// unknownSum stands for a content that is none of those expected: it is no
// document's checksum, and the same for the same hash.
func unknownSum(hash string) fsm.Sum {
	return fsm.Sum(sha256.Sum256([]byte("drover: an instance's content with version hash " + hash)))
}

func haveSum(have map[string]fsm.Sum) fsm.Sum {
	entries := make([]document.Entry, 0, len(have))
	for target, sum := range have {
		entries = append(entries, document.Entry{Target: target, Checksum: sum})
	}
	return document.ManifestSum(entries)
}

// unmanaged are the targets that an instance holds and nobody wants there.
func unmanaged(wanted []expected, hashes map[string]string) []string {
	var out []string
	for target := range hashes {
		if !slices.ContainsFunc(wanted, func(x expected) bool { return x.target == target }) {
			out = append(out, cut(target, maxWord))
		}
	}
	slices.Sort(out)
	return out[:min(len(out), maxUnmanaged)]
}

// maxUnmanaged bounds what one instance may put into the state.
const maxUnmanaged = 32
