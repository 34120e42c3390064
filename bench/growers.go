package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/droverhq/drover/bench/load"
)

// growNodes connects more nodes, on both sides.
func growNodes(ctx context.Context, o options, g *grown, nodes int) (err error) {
	if g.below == nil {
		if g.below, err = startFloor(o, false); err != nil {
			return err
		}
	}
	g.size.Nodes = nodes
	return errors.Join(g.below.grow(ctx, nodes), g.above.grow(ctx, nodes))
}

// growBytes makes the document larger. The floor begins anew with a document of
// that size.
func growBytes(ctx context.Context, o options, g *grown, size int) (err error) {
	if g.below != nil {
		if err := g.below.stop(); err != nil {
			return err
		}
		g.below = nil
	}
	larger := o
	larger.bytes = size
	if g.below, err = startFloor(larger, false); err != nil {
		return err
	}
	g.size.Bytes = size
	if err := g.below.grow(ctx, o.growth.base); err != nil {
		return err
	}
	if err := g.above.grow(ctx, o.growth.base); err != nil {
		return err
	}
	return g.above.replace(ctx, size, selector)
}

// otherBytes is the size of the documents that do not change.
const otherBytes = 1 << 10

// growDocuments gives every node more documents beside the one that changes.
func growDocuments(ctx context.Context, o options, g *grown, documents int) error {
	if err := g.above.grow(ctx, o.growth.base); err != nil {
		return err
	}
	var edits []edit
	for i := g.size.Documents; i < documents; i++ {
		edits = append(edits, put(fmt.Sprintf("other-%04d", i), "", selector, i))
	}
	g.size.Documents = documents
	return g.above.commit(ctx, edits)
}

// growVersions commits changes until the document has so many. Meanwhile no
// node wants it.
func growVersions(ctx context.Context, o options, g *grown, versions int) error {
	s := g.above
	if err := s.grow(ctx, o.growth.base); err != nil {
		return err
	}
	var w written
	if err := s.drover.api.get(ctx, s.peer(0)+documentPath, &w); err != nil {
		return err
	}
	g.size.Versions = w.Version
	if w.Version >= uint64(versions) {
		return nil
	}
	if err := s.replace(ctx, o.bytes, "bench=none"); err != nil {
		return err
	}
	for w.Version+1 < uint64(versions) {
		s.changes++
		if err := s.drover.api.call(ctx, http.MethodPatch, s.peer(0)+documentPath, load.Patch(load.Value(s.changes)), &w); err != nil {
			return err
		}
	}
	g.size.Versions = w.Version + 1
	return s.replace(ctx, o.bytes, selector)
}

// growGroups divides the nodes into groups, each with a document of its own
// beside the one that changes.
func growGroups(ctx context.Context, o options, g *grown, groups int) error {
	s := g.above
	if s.labels == nil {
		s.labels = groupLabels(g.values)
	}
	if err := s.grow(ctx, o.growth.base); err != nil {
		return err
	}
	var edits []edit
	if g.size.Documents > 1 {
		for i := range g.size.Groups {
			edits = append(edits, edit{Document: groupDocument(g.size.Groups, i), Op: "delete"})
		}
	}
	if err := s.commit(ctx, edits); err != nil {
		return err
	}
	edits = nil
	for i := range groups {
		edits = append(edits, put(groupDocument(groups, i), "group", fmt.Sprintf("in%d=%d", groups, i), i))
	}
	g.size.Groups, g.size.Documents = groups, 2
	return s.commit(ctx, edits)
}

func groupDocument(groups, i int) string { return fmt.Sprintf("group-%d-%04d", groups, i) }

// groupLabels gives nodes, in turn, a label for each number of groups.
func groupLabels(values []int) []map[string]string {
	out := make([]map[string]string, values[len(values)-1])
	for i := range out {
		out[i] = map[string]string{"bench": "node"}
		for _, groups := range values {
			out[i][fmt.Sprintf("in%d", groups)] = strconv.Itoa(i % groups)
		}
	}
	return out
}

// edit is one of a change, as the API takes it.
type edit struct {
	Document string          `json:"document"`
	Op       string          `json:"op"`
	Content  json.RawMessage `json:"content,omitempty"`
	Target   string          `json:"target,omitempty"`
	Selector string          `json:"selector,omitempty"`
}

func put(name, target, selector string, number int) edit {
	return edit{name, "put", load.Document(otherBytes, load.Value(uint64(number))), target, selector}
}

// editsAtOnce is the number of documents in one change.
const editsAtOnce = 250

// commit makes changes of many documents, and waits until every node holds
// them.
func (s *side) commit(ctx context.Context, edits []edit) error {
	for len(edits) > 0 {
		n := min(editsAtOnce, len(edits))
		body, err := json.Marshal(map[string]any{"commit": true, "edits": edits[:n]})
		if err != nil {
			return err
		}
		if err := s.drover.api.write(ctx, http.MethodPost, s.peer(0)+"/api/v1/changes", body, nil); err != nil {
			return err
		}
		if err := s.inSync(ctx, s.peer(0)); err != nil {
			return err
		}
		edits = edits[n:]
	}
	s.drain()
	return nil
}

// replace puts the document anew, for other nodes perhaps, and waits until
// every node holds what it should.
func (s *side) replace(ctx context.Context, size int, selector string) error {
	s.changes++
	body, err := json.Marshal(map[string]any{
		"content": json.RawMessage(load.Document(size, load.Value(s.changes))), "selector": selector,
	})
	if err != nil {
		return err
	}
	if err := s.drover.api.write(ctx, http.MethodPut, s.peer(0)+documentPath, body, nil); err != nil {
		return err
	}
	if err := s.inSync(ctx, s.peer(0)); err != nil {
		return err
	}
	s.drain()
	return nil
}

// drain drops what the clients have told of changes that are not measured.
func (s *side) drain() {
	for _, f := range s.fleets {
		for more := true; more; {
			select {
			case _, more = <-f.Events:
			default:
				more = false
			}
		}
	}
}
