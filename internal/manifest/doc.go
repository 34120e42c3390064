// Package manifest reads and writes documents as files: what `drover apply`
// takes, `drover plan` compares and `drover export` writes.
//
// A manifest is YAML, one document of Drover per YAML document ("---" stands
// between them), or JSON, one object after the other:
//
//	document: site-1/vpn          # its name
//	target: vpn/tunnels           # default: the name
//	selector: site=site-1         # default: every node
//	schema: schemas/vpn.json      # a file, or the schema itself; default: none
//	policy: {drift: report}       # default: {}
//	content: content/site-1.json  # a file, or the content itself
//
// Files are named relative to the manifest. What is left out has its default:
// a manifest says all there is to say about a document. Of a directory, every
// .yaml and .yml file in it and below is a manifest; .json files there are
// contents and schemas. Contents are kept as text: number literals and the
// order of keys stay as they were written, in YAML too.
//
// It does not judge contents, names or selectors: the controller does. It
// starts no goroutine and has no lock.
package manifest
