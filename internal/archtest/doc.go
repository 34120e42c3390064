// Package archtest keeps the shape of the repository: which package may import which, how large a
// file, a function, a struct or a UI component may grow, what every package must and must not have.
// Its own test runs every check over the whole tree, so `go test ./...` fails on a violation.
//
// It reads syntax only and resolves no types, which keeps it quick; what needs types is left to
// `make lint`. It is not linked into any program. It starts no goroutine and has no lock.
package archtest
