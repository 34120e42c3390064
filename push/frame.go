package push

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/wire"
)

// emptyManifest is what a node reports that holds nothing.
var emptyManifest = document.ManifestSum(nil)

// offer is what an update would make of a node, and so what its confirmation
// means. Sessions keep it, and not the bytes of the frame.
type offer struct {
	id       string
	at       fsm.Position
	manifest fsm.Sum
	versions []fsm.DocVersion
	full     bool
}

// frame is an update as it is sent to every session of a group: nothing in it
// is specific to one node.
type frame struct {
	*offer
	data     []byte
	contents []content // instead of data: for instances

	prepare  sync.Once
	prepared []byte
}

// content is one document for an instance; text is nil for a target that is not
// wanted any more, which no call takes away.
type content struct {
	target  string
	version *fsm.Version
	blob    *fsm.Blob
	text    []byte
}

// message is the frame in the form in which all connections send it.
func (f *frame) message() []byte {
	f.prepare.Do(func() { f.prepared = socket.Frame(socket.Text, f.data) })
	return f.prepared
}

// foundry makes frames. It is used by one goroutine at a time.
type foundry struct {
	sign    func(text string) string
	made    uint64
	patches map[patchKey][]byte
}

type patchKey struct{ from, to *fsm.Blob }

// patchesKept bounds the cache of patches between two contents: the pairs that
// nodes which come back one by one need again.
const patchesKept = 256

func newFoundry(sign func(string) string) *foundry {
	return &foundry{sign: sign, patches: map[patchKey][]byte{}}
}

func (f *foundry) frame(g *group) (*frame, error) {
	f.made++
	out := &frame{offer: &offer{
		id: strconv.FormatUint(f.made, 36), at: g.at, manifest: g.key.want.Sum,
		versions: g.key.want.Versions.List, full: g.key.full,
	}}
	if g.key.instance {
		var err error
		out.contents, err = contents(g.parts)
		return out, err
	}
	header := wire.Header{
		Purpose: wire.PurposeUpdate, Cluster: g.cluster, Epoch: g.at.Epoch, Index: g.at.Index, Revision: g.revision,
		Audience: g.key.audience.String(), Base: g.key.base.String(), Manifest: g.key.want.Sum.String(),
	}
	update := wire.Update{Update: out.id, Header: header.Text(), Documents: make([]wire.Document, 0, len(g.parts))}
	for _, p := range g.parts {
		d, err := f.document(p)
		if err != nil {
			return nil, fmt.Errorf("update of %q: %w", p.target, err)
		}
		update.Documents = append(update.Documents, d)
	}
	update.Signature = f.sign(update.Header)
	var err error
	out.data, err = wire.Encode(update)
	return out, err
}

func contents(parts []part) ([]content, error) {
	out := make([]content, 0, len(parts))
	for _, p := range parts {
		c := content{target: p.target, version: p.version, blob: p.to}
		if p.version != nil {
			var err error
			if c.text, err = p.to.Text(); err != nil {
				return nil, fmt.Errorf("content of %q: %w", p.target, err)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// document makes the smaller of a delta and the full content.
func (f *foundry) document(p part) (wire.Document, error) {
	if p.version == nil {
		return wire.Document{Target: p.target, Removed: true}, nil
	}
	d := wire.Document{Target: p.target, Version: p.version.Number}
	if p.from != nil {
		// Where no patch can be made, the full content does as well.
		if patch, err := f.patch(p); err == nil && len(patch) < p.to.Size {
			d.Base, d.Patch = p.base.String(), patch
			return d, nil
		}
	}
	var err error
	d.Content, err = p.to.Text()
	return d, err
}

func (f *foundry) patch(p part) ([]byte, error) {
	key := patchKey{p.from, p.to}
	if patch, found := f.patches[key]; found {
		return patch, nil
	}
	from, err := p.from.Text()
	if err != nil {
		return nil, err
	}
	text, err := p.to.Text()
	if err != nil {
		return nil, err
	}
	patch, err := document.Diff(from, text)
	if err != nil {
		return nil, err
	}
	if len(f.patches) >= patchesKept {
		clear(f.patches)
	}
	f.patches[key] = patch
	return patch, nil
}

// dispatch makes the frame of every group of a plan, and puts each onto the
// sessions that still want it before it makes the next: the first nodes of a
// thousand groups do not wait for the last. A frame that cannot be made holds
// up no other.
func (c *core) dispatch(p plan, f *foundry) error {
	var failed []error
	for _, g := range p.order {
		made, err := f.frame(g)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		c.offer(g.wishes, made)
	}
	return errors.Join(failed...)
}

func (c *core) offer(wishes []wish, made *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range wishes {
		s := w.session
		if c.sessions[s.id] != s || s.seq != w.seq {
			continue // it has spoken since, and is marked for the next plan
		}
		s.inflight, s.welcome.behind = made.offer, false
		s.send(made)
	}
}
