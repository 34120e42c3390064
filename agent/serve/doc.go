// Package serve answers the four admin endpoints of an instance (docs/agent.md,
// "Serving as an instance") in front of an application that has none: it
// takes a configuration over HTTP, checks it, puts it where the application
// reads it, makes the application load it, and puts the previous one back when
// that fails.
//
// Below its directory:
//
//	current/<target>.json       what the application reads
//	serve/new/                  a configuration that is being checked, as it will be
//	serve/undo/<target>.json    what to put back while a new content is on trial (a "/" is written %2F)
//	serve/undo/<target>.none    the same, where there was nothing
//	serve/state.json            last version accepted and time of the last reload, for people
//	lock                        held by the process that runs
//
// A content is on trial from the moment its undo file is durable until that is
// removed: by its success, or once the previous one is back and loaded. So a
// crash at any step leaves the old content or the new one, whole, and what a
// start finds on trial it puts back.
//
// It is not for: the WebSocket channel (package agent), several files that must
// change at once (the calls carry one), and removing a target: no call does.
//
// Goroutines: Run owns all of them and returns after the last has ended; each
// request has one, as net/http has it. Locks: Server.working is held by the one
// update or reload that runs, hooks included, and is only ever tried, never
// waited for; certs.mu guards the certificate in use, seen.mu what files were
// when they were read last. What is held is read from the disk without a lock:
// disk.changes tells a reader that it has to look again.
package serve
