package fsm

import (
	"cmp"
	"slices"

	"github.com/droverhq/drover/document"
)

// Manifest is what a node holds or should hold, sorted by target.
type Manifest struct {
	Sum      Sum
	Entries  []Entry
	Versions *Versions
	Size     int // of all texts, in bytes
}

// Entry is one document of a manifest.
type Entry struct {
	Target   string
	Document string
	Version  *Version
}

// Versions is a manifest by the numbers of its versions, sorted by document,
// with the checksum that a node reports when it holds them. It is shared by
// all nodes that hold the same.
type Versions struct {
	Sum  Sum          `cbor:"1,keyasint"`
	List []DocVersion `cbor:"2,keyasint"`
}

// DocVersion is a version of a document, under the target that the node knows
// it by.
type DocVersion struct {
	Document string `cbor:"1,keyasint"`
	Version  uint64 `cbor:"2,keyasint"`
	Target   string `cbor:"3,keyasint"`
}

// Of returns the version of a document, 0 where it is not held.
func (v *Versions) Of(name string) uint64 {
	if v == nil {
		return 0
	}
	i, found := slices.BinarySearchFunc(v.List, name, func(d DocVersion, n string) int { return cmp.Compare(d.Document, n) })
	if !found {
		return 0
	}
	return v.List[i].Version
}

// without takes out documents that have just been bound to a node: whatever it
// accepted of them before they left it is gone. The cache keeps sharing.
func (v *Versions) without(entered []string, cache map[prunedKey]*Versions, key prunedKey) *Versions {
	if v == nil || len(entered) == 0 {
		return v
	}
	if out := cache[key]; out != nil {
		return out
	}
	if !slices.ContainsFunc(entered, func(name string) bool { return v.Of(name) != 0 }) {
		cache[key] = v
		return v
	}
	out := &Versions{List: slices.DeleteFunc(slices.Clone(v.List), func(d DocVersion) bool {
		return slices.Contains(entered, d.Document)
	})}
	cache[key] = out
	return out
}

// sameTexts tells whether two manifests of one sum hold the same texts: 1 and
// 1.0 have one checksum, and are two values to some services.
func (m *Manifest) sameTexts(other *Manifest) bool {
	return slices.EqualFunc(m.Entries, other.Entries, func(a, b Entry) bool {
		return a.Document == b.Document && a.Version.Blob == b.Version.Blob
	})
}

// TextsDiffer tells whether what a node accepted has, somewhere behind a
// checksum that is wanted, another text than the wanted one.
func (s *State) TextsDiffer(held *Versions, want *Manifest) bool {
	for _, e := range want.Entries {
		d := s.documents[e.Document]
		v := d.Version(held.Of(e.Document))
		if v != nil && v.Checksum == e.Version.Checksum && v.Blob != e.Version.Blob {
			return true
		}
	}
	return false
}

// manifestOf makes the manifest of bindings: the current versions, or those of
// pick, where a nil version leaves the document out.
func (s *State) manifestOf(bindings []Binding, pick func(*Document) *Version) *Manifest {
	m := &Manifest{Entries: make([]Entry, 0, len(bindings))}
	sums := make([]document.Entry, 0, len(bindings))
	list := make([]DocVersion, 0, len(bindings))
	for _, b := range bindings {
		doc := s.documents[b.Document]
		v := doc.Current()
		if pick != nil {
			v = pick(doc)
		}
		if v == nil {
			continue
		}
		m.Entries = append(m.Entries, Entry{b.Target, b.Document, v})
		m.Size += v.Size
		sums = append(sums, document.Entry{Target: b.Target, Checksum: v.Checksum})
		list = append(list, DocVersion{b.Document, v.Number, b.Target})
	}
	slices.SortFunc(list, func(a, b DocVersion) int { return cmp.Compare(a.Document, b.Document) })
	m.Sum = document.ManifestSum(sums)
	m.Versions = &Versions{Sum: m.Sum, List: list}
	return m
}

// renewed is a manifest of the same documents after those that are named have
// changed; the same one where their versions have not.
func (s *State) renewed(old *Manifest, names []string) *Manifest {
	m := &Manifest{Entries: old.Entries, Size: old.Size}
	list := old.Versions.List
	for _, name := range names {
		at, bound := slices.BinarySearchFunc(list, name, func(d DocVersion, n string) int { return cmp.Compare(d.Document, n) })
		if !bound {
			continue
		}
		i, _ := slices.BinarySearchFunc(m.Entries, list[at].Target, func(e Entry, t string) int { return cmp.Compare(e.Target, t) })
		v := s.documents[name].Current()
		if m.Entries[i].Version == v {
			continue
		}
		if m.Versions == nil {
			m.Entries, list = slices.Clone(m.Entries), slices.Clone(list)
			m.Versions = &Versions{List: list}
		}
		m.Size += v.Size - m.Entries[i].Version.Size
		m.Entries[i].Version, list[at].Version = v, v.Number
	}
	if m.Versions == nil {
		return old
	}
	sums := make([]document.Entry, len(m.Entries))
	for i, e := range m.Entries {
		sums[i] = document.Entry{Target: e.Target, Checksum: e.Version.Checksum}
	}
	m.Sum = document.ManifestSum(sums)
	m.Versions.Sum = m.Sum
	return m
}

// Wanted is what a node should hold now: the current version of every document
// that is bound to it, except that documents which it refused, with all that
// were edited together with them, fall back to what it last accepted. It is a
// pure function of the state.
func (s *State) Wanted(ord uint32) *Manifest {
	if row := s.rows[ord]; row.fallen != nil {
		return row.fallen
	}
	return s.byOrdinal[ord].audience.Wanted
}

// Desired is what a node should hold without fall-backs: a node that refused
// something is not in sync.
func (s *State) Desired(ord uint32) *Manifest {
	return s.byOrdinal[ord].audience.Wanted
}

// Since is the index at which what the node is wanted to hold last changed: an
// error of an earlier update does not count, and a node is converged only when
// it has accepted this index.
func (s *State) Since(ord uint32) uint64 {
	return max(s.rows[ord].Since, s.byOrdinal[ord].audience.Since)
}

// Converged tells whether a node holds what is desired, confirmed, and knows
// that this is what it should hold. An instance that cannot be called is not: it
// does not tell what becomes of it, as an agent will.
func (s *State) Converged(ord uint32) bool {
	row := s.rows[ord]
	if s.byOrdinal[ord].Instance != nil && !row.Connected {
		return false
	}
	return row.Known && row.Confirmed && row.Reported == s.Desired(ord).Sum &&
		!row.At.Less(Position{s.Epoch(), s.Since(ord)})
}

// fall computes the manifest of a node that has refused something, nil where
// nothing falls back.
func (s *State) fall(ord uint32, row *Row) *Manifest {
	fallen := s.fallenDocuments(ord, row)
	if len(fallen) == 0 {
		return nil
	}
	return s.manifestOf(s.AudienceOf(ord).Bindings, func(d *Document) *Version {
		if !fallen[d.Name] {
			return d.Current()
		}
		return d.Version(row.Accepted.Of(d.Name))
	})
}

// fallenDocuments are the refused documents whose refused version is still the
// desired one, and all that were edited together with one of them.
func (s *State) fallenDocuments(ord uint32, row *Row) map[string]bool {
	if len(row.Refused) == 0 {
		return nil
	}
	a := s.AudienceOf(ord)
	fallen := map[string]bool{}
	for _, r := range row.Refused {
		if doc := s.documents[r.Document]; binds(a.Bindings, r.Document) && doc.Current().Number == r.Version {
			fallen[r.Document] = true
		}
	}
	s.growTogether(a, row.Accepted, fallen)
	return fallen
}

// growTogether adds to a set of documents all those that were edited by one
// change with a member, between the accepted and the desired version of both:
// so that no revision is ever half applied. Where retention has dropped one of
// the versions between, nobody knows any more what was edited together, and
// all that has moved stays together.
func (s *State) growTogether(a *Audience, accepted *Versions, set map[string]bool) {
	if len(set) == 0 {
		return
	}
	edits := map[uint64][]string{} // revision → bound documents it moved since the accepted version
	forgotten, moved := false, []string{}
	for _, b := range a.Bindings {
		doc, from := s.documents[b.Document], accepted.Of(b.Document)
		versions := doc.after(from)
		for _, v := range versions {
			edits[v.Revision] = append(edits[v.Revision], b.Document)
		}
		if len(versions) > 0 {
			moved = append(moved, b.Document)
		}
		forgotten = forgotten || from > 0 && uint64(len(versions)) < doc.Current().Number-from
	}
	if forgotten {
		for _, name := range moved {
			set[name] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for rev, names := range edits {
			if !slices.ContainsFunc(names, func(n string) bool { return set[n] }) {
				continue
			}
			for _, n := range names {
				grown = grown || !set[n]
				set[n] = true
			}
			delete(edits, rev)
		}
	}
}

// after returns the versions above a number.
func (d *Document) after(number uint64) []*Version {
	i, found := slices.BinarySearchFunc(d.Versions, number, func(v *Version, n uint64) int { return cmp.Compare(v.Number, n) })
	if found {
		i++
	}
	return d.Versions[i:]
}

// VersionBy returns the newest version with this checksum of the document that
// a node knows as target, or nil.
func (s *State) VersionBy(ord uint32, target string, sum Sum) *Version {
	doc := s.documents[s.AudienceOf(ord).document(target)]
	if doc == nil {
		return nil
	}
	for _, v := range slices.Backward(doc.Versions) {
		if v.Checksum == sum {
			return v
		}
	}
	return nil
}

// EntriesOf returns the versions of a list, sorted as it is; those that
// retention has dropped are left out.
func (s *State) EntriesOf(versions *Versions) []Entry {
	out := make([]Entry, 0, len(versions.List))
	for _, dv := range versions.List {
		if d := s.documents[dv.Document]; d != nil && d.Version(dv.Version) != nil {
			out = append(out, Entry{dv.Target, dv.Document, d.Version(dv.Version)})
		}
	}
	return out
}
