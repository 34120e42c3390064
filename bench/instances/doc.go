// Package instances is what Drover's delivery over HTTP is measured with: many
// webhook instances in one process, each a listener at an address of its own
// with the four admin endpoints of docs/protocol.md; and the floor beside it,
// coordinator.py, which is what a person would write first: Python's httpx, one
// client per request that share one TLS context, and a gather over all.
//
// The instances keep what they are given in memory. All of them are given the
// same bytes, so a body is parsed and hashed once for all of them: what an
// instance computes belongs to its own machine. It is not for tests of what
// Drover does with instances that lie: they only hang or die.
//
// Goroutines: one accepts for each instance, and those of net/http for each
// connection; all end with the process. Run's own goroutine does what the
// parent says; events are written by it alone. service.mu guards what is
// expected and how an instance behaves; an instance's own lock what it holds.
package instances
