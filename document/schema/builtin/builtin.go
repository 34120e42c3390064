package builtin

import (
	_ "embed"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
)

// The targets that there is a schema for.
const (
	Webhooks    = "webhooks"
	Connections = "connections"
)

//go:embed webhooks.json
var webhooks string

//go:embed connections.json
var connections string

// Schema is the JSON Schema for contents of a target, "" where there is none.
func Schema(target string) string {
	switch target {
	case Webhooks:
		return webhooks
	case Connections:
		return connections
	}
	return ""
}

// Reference is a place in a webhooks document that names a connection.
type Reference struct {
	Pointer    string // RFC 6901
	Connection string
}

// References returns where the hooks of a content name a connection, in the
// order of the pointers: the connection of a hook, of a step of its chain, and
// of the module-config of either. A name with a placeholder in it is left out,
// since only the instance knows it; so is all that has not the form that the
// schema asks for.
func References(hooks []byte) []Reference {
	var out []Reference
	for _, id := range sorted(members(hooks)) {
		hook := members(id.value)
		at := string(jsontext.Pointer("").AppendToken(id.name))
		out = appendReferences(out, at, hook)
		var chain []jsontext.Value
		if json.Unmarshal(hook["chain"], &chain) != nil {
			continue
		}
		for i, step := range chain {
			out = appendReferences(out, at+"/chain/"+strconv.Itoa(i), members(step))
		}
	}
	return out
}

// appendReferences adds those of a hook or of a step.
func appendReferences(out []Reference, at string, module map[string]jsontext.Value) []Reference {
	for _, place := range []struct {
		pointer string
		value   jsontext.Value
	}{
		{at + "/connection", module["connection"]},
		{at + "/module-config/connection", members(module["module-config"])["connection"]},
	} {
		var name string
		if place.value.Kind() == '"' && json.Unmarshal(place.value, &name) == nil && name != "" && !document.HasPlaceholders(place.value) {
			out = append(out, Reference{place.pointer, name})
		}
	}
	return out
}

// Names returns the names that a connections document defines.
func Names(connections []byte) map[string]bool {
	names := map[string]bool{}
	for name := range members(connections) {
		names[name] = true
	}
	return names
}

type member struct {
	name  string
	value jsontext.Value
}

// members are those of an object; anything else has none.
func members(value []byte) map[string]jsontext.Value {
	var out map[string]jsontext.Value
	if jsontext.Value(value).Kind() != '{' || json.Unmarshal(value, &out) != nil {
		return nil
	}
	return out
}

func sorted(of map[string]jsontext.Value) []member {
	out := make([]member, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, member{name, of[name]})
	}
	return out
}
