// Package wire holds the messages of the management channel: what an agent
// and a controller say to each other over the WebSocket at /agent/v1/connect
// (subprotocol drover.v1, one JSON object a text frame), the texts that are
// signed, and the close codes.
//
// It is a public contract, described for other implementations in
// docs/protocol.md and pinned by the golden frames in testdata. It is not for
// what is persisted (package fsm) and not for people and scripts (package
// api): the three vocabularies are mapped to each other by small functions,
// never shared.
//
// The package is a leaf, starts no goroutine and has no lock: every function
// is pure, and a message may be used from several goroutines once it is made.
package wire
