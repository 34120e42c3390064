package schema

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/droverhq/drover/document"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// CodeBadSchema is the code of the errors of Compile that are not about the
// text itself; they are all *document.Error.
const CodeBadSchema = "bad_schema"

// MaxProblems is how many problems Validate returns at most.
const MaxProblems = 50

// base is the name that the schema has for the library. Nothing is loaded from
// it; a relative reference to another schema is resolved against it and refused.
const base = "drover:///schema"

// Schema is a compiled schema.
type Schema struct{ compiled *jsonschema.Schema }

// Problem is one thing that is wrong with a document.
type Problem struct {
	Pointer string `json:"pointer"` // RFC 6901, the place in the document
	Message string `json:"message"` // for people, without the pointer
}

// noLoader refuses to load what a schema refers to outside of itself.
type noLoader struct{}

var errOutside = errors.New("a schema cannot refer to another one: put it into $defs")

func (noLoader) Load(string) (any, error) { return nil, errOutside }

// Compile reads a schema: an object, true or false. $schema may name another
// draft that is built in; without it, 2020-12 is meant.
//
// Errors are a *document.Error whose Pointer is the place in the schema.
func Compile(schema []byte) (*Schema, error) {
	text, err := document.CompactValue(schema, document.Limits{})
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, &document.Error{Code: document.CodeNotJSON, Message: err.Error()}
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(base, value); err != nil {
		return nil, compileError(err)
	}
	compiled, err := compiler.Compile(base)
	if err != nil {
		return nil, compileError(err)
	}
	return &Schema{compiled}, nil
}

// compileError names the place in the schema, as far as the library tells it.
func compileError(err error) error {
	bad := func(pointer, format string, args ...any) error {
		message := strings.ReplaceAll(fmt.Sprintf(format, args...), base, "")
		return &document.Error{Code: CodeBadSchema, Pointer: pointer, Message: message}
	}
	var (
		invalid  *jsonschema.SchemaValidationError
		regex    *jsonschema.InvalidRegexError
		load     *jsonschema.LoadURLError
		notFound *jsonschema.JSONPointerNotFoundError
		anchor   *jsonschema.AnchorNotFoundError
		failed   *jsonschema.ValidationError
	)
	switch {
	case errors.As(err, &invalid) && errors.As(invalid.Err, &failed):
		problems := list(failed)
		message := problems[0].Message
		if n := len(problems) - 1; n > 0 {
			message += fmt.Sprintf(" (and %d more)", n)
		}
		return bad(problems[0].Pointer, "not a valid JSON Schema: %s", message)
	case errors.As(err, &regex):
		return bad(fragment(regex.URL), "the regular expression %q is not valid: %v", regex.Regex, regex.Err)
	case errors.As(err, &load):
		return bad("", "the schema refers to %q: %v", strings.TrimPrefix(load.URL, "drover:///"), errOutside)
	case errors.As(err, &notFound):
		return bad("", "the schema refers to %q, which is not in it", "#"+fragment(notFound.URL))
	case errors.As(err, &anchor):
		return bad("", "a reference in the schema leads nowhere: %q", anchor.Reference)
	}
	return bad("", "%v", err)
}

// fragment is the decoded part of a URL behind the #.
func fragment(s string) string {
	_, encoded, _ := strings.Cut(s, "#")
	decoded, err := url.PathUnescape(encoded)
	if err != nil {
		return encoded
	}
	return decoded
}

// Validate returns what is wrong with a compact text (see document.Compact), in
// the order of the pointers, MaxProblems at most; nothing if it is valid.
func (s *Schema) Validate(text []byte) []Problem {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []Problem{{Message: "not JSON: " + err.Error()}}
	}
	err = s.compiled.Validate(value)
	if err == nil {
		return nil
	}
	failed := (*jsonschema.ValidationError)(nil)
	if !errors.As(err, &failed) {
		return []Problem{{Message: err.Error()}}
	}
	return list(failed)
}
