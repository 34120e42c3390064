// Package schema validates documents with JSON Schema 2020-12 and says what is
// wrong in words that a network engineer can act on.
//
// The standard is github.com/santhosh-tekuri/jsonschema/v6; this package keeps
// it from loading anything (a schema is one text, references lead into it or to
// the meta-schemas that are built in), and turns its tree of errors into a short
// list of problems.
//
// Differences from the letter of the standard, on purpose: formats (ipv4, ipv6,
// hostname, date-time, uri, …) are checked, as an author of a schema expects; a
// pattern is a regular expression of RE2, so that no text takes exponential
// time: look-ahead and back-references are refused at compilation.
//
// It is not for: fetching schemas, storing them, or deciding which document has
// one.
//
// All functions are pure, start no goroutines, hold no locks and are safe for
// concurrent use, a Schema included.
package schema
