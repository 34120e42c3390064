// Package examples holds documents that look like those of the field, as the
// files that `drover apply -f` takes: an SD-WAN of two hubs and their spokes,
// and the configuration of webhook services. `drover dev` commits them in a new
// fleet.
//
// It is not a template to copy without thought: addresses and AS numbers are
// those kept for documentation and private use (RFC 5737, 1918, 6996), tokens
// are made up. It starts no goroutine and has no lock.
package examples
