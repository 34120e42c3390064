// Package docs tests what docs/protocol.md claims: its frames decode and encode to the same bytes,
// its hashes and signatures hold, its table of close codes is that of package wire.
//
// The test speaks the protocol from the page's words alone, with the standard library's hashes and
// signatures, so that another implementation can. It is not for testing wire itself. It starts no
// goroutine and has no lock.
package docs
