package api

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document/schema/builtin"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
)

// rules are what a content has to satisfy, as they will be after an edit.
type rules struct {
	name, target, selector string
	own                    string // the document's own schema, "" where it has none
	builtin                string // that of its target, "" where there is none, or the policy has turned it off
}

func rulesOf(b basis, e fsm.Edit) rules {
	r, policy := rules{name: b.name}, ""
	if b.old != nil {
		r.target, r.selector, r.own, policy = b.old.Target, b.old.Selector, b.old.Schema, b.old.Policy
	}
	for _, m := range []struct{ field, value *string }{
		{&r.target, e.Target}, {&r.selector, e.Selector}, {&r.own, e.Schema}, {&policy, e.Policy},
	} {
		if m.value != nil {
			*m.field = *m.value
		}
	}
	if r.target == "" {
		r.target = r.name
	}
	if holdsBuiltin(policy) {
		r.builtin = builtin.Schema(r.target)
	}
	return r
}

// policyBuiltin is the member of a policy that turns off what Drover itself
// knows of a target: for what is called webhooks or connections, and is
// something else.
const policyBuiltin = "builtin_schema"

// holdsBuiltin reads a policy that was checked.
func holdsBuiltin(policy string) bool {
	var members map[string]jsontext.Value
	if policy == "" || json.Unmarshal([]byte(policy), &members) != nil {
		return true
	}
	return string(members[policyBuiltin]) != "false"
}

// concern tells whether an edit that brings no content puts the one that is
// there under other rules.
func (r rules) concern(b basis, e fsm.Edit) bool {
	if b.old == nil {
		return false
	}
	moved := r.target != b.old.Target || r.selector != b.old.Selector
	return e.Schema != nil && r.own != "" ||
		r.builtin != "" && r.builtin != rulesOf(b, fsm.Edit{}).builtin ||
		moved && b.old.Current().Size == len(emptyContent)
}

// satisfies tells what in a content breaks the rules.
func (s *Server) satisfies(r rules, text []byte, place string) error {
	if err := s.refusedEmpty(r, text, place); err != nil {
		return err
	}
	failed := (*Error)(nil)
	for _, held := range []struct{ schema, of, hint string }{
		{r.builtin, "the built-in schema for the target " + r.target, "; a document that is something else by this name turns it off by its policy: {\"" + policyBuiltin + "\": false}"},
		{r.own, "the schema of the document", ""},
	} {
		if held.schema == "" {
			continue
		}
		compiled, err := s.schemas.compile(held.schema)
		if err != nil {
			return err
		}
		for _, f := range compiled.Validate(text) {
			if failed == nil {
				failed = &Error{Code: codeSchemaInvalid, Pointer: place + f.Pointer,
					Detail: "the content does not satisfy " + held.of + ": " + f.Message + held.hint}
			}
			failed.Problems = append(failed.Problems, Problem{Document: r.name, Pointer: f.Pointer, Message: f.Message})
		}
	}
	if failed == nil {
		return nil
	}
	return failed
}

const emptyContent = "{}"

// refusedEmpty refuses an empty content that would go to an instance: the
// service would refuse it, on each.
func (s *Server) refusedEmpty(r rules, text []byte, place string) error {
	if string(text) != emptyContent {
		return nil
	}
	match, err := selector.Parse(r.selector)
	if err != nil {
		return err
	}
	instance := ""
	s.deps.Store.View(func(st *fsm.State) {
		st.Nodes(func(n *fsm.Node) bool {
			if n.Instance != nil && n.Takes(r.target, match) {
				instance = n.ID
			}
			return instance == ""
		})
	})
	if instance == "" {
		return nil
	}
	e := failure(codeInvalid, "instance %q would get the empty configuration {} as %s, and the services behind instances refuse that: "+
		"give it at least one entry, or keep the document from instances by its selector", instance, r.target)
	e.Pointer, e.Problems = place, []Problem{{Document: r.name, Message: e.Detail}}
	return e
}
