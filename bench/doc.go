// Command bench measures Drover beside a floor: the same change to the same
// document for the same number of clients, once by a bare broadcast and once
// by three real controllers that keep it on a quorum together with the status
// of every node. README.md tells what is measured and how to repeat it.
//
// It uses the programs as they are shipped, starts them with `drover dev`, and
// speaks to public endpoints only. It is not a test: it fails when something
// cannot be measured or was delivered wrongly, never for being slow.
//
// Every server and every group of clients is a process of its own (this
// program, started with another first argument). The main process runs one
// measurement after the other in one goroutine, but for the writers and the
// sampling of memory, which end with the measurement that needs them; what
// they share is guarded by a lock beside it.
package main
