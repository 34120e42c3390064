// Package fleet is many light clients in one process: those of the floor, and
// nodes of Drover that speak the management channel.
//
// Both do the same with a change: splice it into their own copy of the
// document, take the CRC-32C of the whole document, compare it with the one
// expected, and confirm. What a real agent does besides (verify a signature,
// parse, write and sync files, run hooks) it does on a machine of its own; here
// thousands share one with the servers. So patches, checksums and manifests are
// verified with Drover's own code once for each different frame that comes to
// the process, and not once for each node; signatures, too, after the rounds.
//
// It is not an agent: nothing is kept on a disk, and no rule of safety beyond
// the order of updates is followed. Enrolment is kept, so that the next run
// finds its nodes.
//
// Goroutines: one per client, and one that writes events; Run owns them all
// and ends them. tracker.mu guards the counts, library.mu the known frames.
package fleet
