package agent

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// limits of a document on the node. The controllers have tighter ones, which
// can be set; these only keep a frame from doing harm.
func limits() document.Limits {
	return document.Limits{Bytes: wire.LimitUpdate, Depth: 256}
}

// plan is an update worked out in memory: the whole node as it will be.
type plan struct {
	header  wire.Header
	files   []store.File // sorted by target
	changed []string     // targets that come, go or change, sorted
}

// source gives the copies as received of what runs.
type source interface {
	Text(g *store.Generation, target string) ([]byte, error)
}

// makePlan applies an update to what the node holds and compares the manifest
// of the whole with the signed one, so that nothing can be swapped, left out
// or put in.
func makePlan(s source, running *store.Generation, h store.Held, j job) (*plan, *failure) {
	files := map[string]store.File{}
	for _, e := range h.Entries {
		version := uint64(0)
		if d := running.Find(e.Target); d != nil {
			version = d.Version
		}
		files[e.Target] = store.File{Target: e.Target, Version: version, Checksum: e.Checksum.String()}
	}
	full, seen := map[string]store.File{}, map[string]bool{}
	for _, d := range j.update.Documents {
		if err := document.ValidName(d.Target); err != nil {
			return nil, malformed(clip(d.Target, 200), "", err)
		}
		if seen[d.Target] {
			return nil, malformed(d.Target, "", errors.New("the update has two entries for one target"))
		}
		seen[d.Target] = true
		f, err := edit(s, running, files, d)
		if err != nil {
			return nil, err
		}
		delete(files, d.Target)
		if f != nil {
			files[d.Target] = *f
			if len(d.Content) > 0 {
				full[d.Target] = *f
			}
		}
	}
	if manifestOf(files) != j.header.Manifest {
		// An update that holds all documents in full needs no word about those
		// that go.
		if len(full) != len(seen) || manifestOf(full) != j.header.Manifest {
			return nil, fail(wire.Problem{Stage: wire.StageVerify, Code: wire.CodeManifestMismatch, Retryable: true,
				Message: "the documents of the update do not add up to the manifest that was signed"})
		}
		files = full
	}
	p := &plan{header: j.header}
	for _, target := range sorted(files) {
		p.files = append(p.files, files[target])
	}
	p.settle(s, running, h)
	return p, nil
}

// edit works out one entry of an update; nil means that the document goes.
func edit(s source, running *store.Generation, files map[string]store.File, d wire.Document) (*store.File, *failure) {
	kinds := 0
	for _, has := range []bool{len(d.Content) > 0, len(d.Patch) > 0, d.Removed} {
		if has {
			kinds++
		}
	}
	if kinds != 1 {
		return nil, malformed(d.Target, "", errors.New("an entry has exactly one of content, patch and removed"))
	}
	var text []byte
	var err error
	switch {
	case d.Removed:
		return nil, nil
	case len(d.Patch) > 0:
		if have, ok := files[d.Target]; !ok || have.Checksum != d.Base {
			return nil, baseMismatch(d.Target, "the node holds another version of this document than the one the patch is for")
		}
		old, failed := s.Text(running, d.Target)
		if failed != nil {
			return nil, baseMismatch(d.Target, failed.Error())
		}
		text, err = document.Apply(old, d.Patch, limits())
		if err == nil && !document.IsObject(text) {
			err = errors.New("the patch makes something else than an object of the document")
		}
	default:
		text, err = document.Compact(d.Content, limits())
	}
	if err != nil {
		pointer := ""
		if e := (*document.Error)(nil); errors.As(err, &e) {
			pointer = e.Pointer
		}
		return nil, malformed(d.Target, pointer, err)
	}
	sum, err := document.Sum(text)
	if err != nil {
		return nil, malformed(d.Target, "", err)
	}
	return &store.File{Target: d.Target, Version: d.Version, Checksum: sum.String(), Text: text}, nil
}

// settle drops the text of files that stay as they are, so that they are taken
// over and not written, and lists what changes.
func (p *plan) settle(s source, running *store.Generation, h store.Held) {
	changed := map[string]bool{}
	for _, e := range h.Entries {
		changed[e.Target] = true
	}
	for i, f := range p.files {
		delete(changed, f.Target)
		old := running.Find(f.Target)
		if f.Text != nil && old != nil && old.Checksum == f.Checksum && !slices.Contains(h.Drifted, f.Target) {
			// One checksum can have two texts (1 and 1.0): only the same text is
			// the same file.
			if text, err := s.Text(running, f.Target); err == nil && string(text) == string(f.Text) {
				p.files[i].Text = nil
			}
		}
		if p.files[i].Text != nil {
			changed[f.Target] = true
		}
	}
	p.changed = sorted(changed)
}

func manifestOf(files map[string]store.File) string {
	entries := make([]document.Entry, 0, len(files))
	for _, f := range files {
		sum, err := document.ParseChecksum(f.Checksum)
		if err != nil { // they come from Checksum.String
			return ""
		}
		entries = append(entries, document.Entry{Target: f.Target, Checksum: sum})
	}
	slices.SortFunc(entries, func(a, b document.Entry) int { return cmp.Compare(a.Target, b.Target) })
	return document.ManifestSum(entries).String()
}

func malformed(target, pointer string, err error) *failure {
	return fail(wire.Problem{Target: target, Stage: wire.StageParse, Code: wire.CodeMalformed, Pointer: pointer,
		Message: err.Error(), Retryable: true})
}

func baseMismatch(target, why string) *failure {
	return fail(wire.Problem{Target: target, Stage: wire.StageVerify, Code: wire.CodeBaseMismatch, Message: why, Retryable: true})
}

// order refuses what is older than what was accepted, and another manifest at
// the same position.
func order(accepted store.Accepted, j job) *failure {
	switch c := j.position().Compare(accepted.Position); {
	case c < 0:
		return stale(fmt.Sprintf("the node accepted %d.%d already, this is %d.%d",
			accepted.Epoch, accepted.Index, j.header.Epoch, j.header.Index))
	case c == 0 && accepted.Manifest != j.header.Manifest && accepted.Position != (store.Position{}):
		return stale(fmt.Sprintf("the node accepted another manifest at %d.%d", accepted.Epoch, accepted.Index))
	}
	return nil
}

func stale(why string) *failure {
	return fail(wire.Problem{Stage: wire.StageVerify, Code: wire.CodeStaleIndex, Message: why, Retryable: true})
}
