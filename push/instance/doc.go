// Package instance calls the four admin endpoints of one instance over HTTP:
// it sends a document, reads the versions and the state that the instance
// reports, and says in stable words what went wrong.
//
// A Client shares one transport between all instances with the same TLS
// settings, so 500 instances cost 500 connections and no more. Every address
// is checked after resolution, right before the connection is made: public
// unicast is allowed, everything else only where Rules list it. TLS is always
// verified, redirects are not followed, proxies of the environment are not
// used, and an answer is read to a limit. A Token cannot print itself, and
// what an instance answers is redacted before it becomes a message.
//
// It is not for: deciding when, what or whether to send, retrying, concurrency
// limits, the version hash (package document), or which instances there are
// (packages fsm and push/discovery).
//
// Every method makes its call in the caller's goroutine and returns within
// Rules.Timeout. The goroutines that serve kept connections belong to net/http;
// Client.Close ends them. Client.mu guards the table of transports and is not
// held across I/O. Everything else is immutable and safe for concurrent use.
package instance
