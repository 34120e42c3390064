// Package badinstance is a webhook instance for tests that misbehaves on
// demand: it hangs, lies, resets, redirects, answers with what is no JSON, and
// whatever else docs/protocol.md expects of instances. Between two behaviours it
// is a good one: it keeps what it is given in memory and reports its hash. It
// notes every request, so that a test can say what was sent, when and how often.
//
// It is for tests alone; no program imports it. Real services of another stack
// are in package pyservice.
//
// Start returns a Server that listens on loopback. It owns one goroutine that
// accepts, which has ended when Stop returns, and those of net/http for each
// connection, which end with their connections then. One lock guards everything
// that varies; it is not held while a request is answered. Every method may be
// called at any time from any goroutine, also while requests are being answered.
package badinstance
