// Command drover is the controller (`drover server`), a whole fleet on one
// machine (`drover dev`), and the command line for people and scripts, one
// file per command.
//
// The files here stay thin: the HTTP client, the output formats, manifests,
// contexts and the supervisor of `drover dev` are packages below internal. The
// order in which a server is put together and taken apart stands in server.go.
//
// It is not for the agent, which is a program of its own. Goroutines belong to
// the server's parts (see server.go) and to the supervisor; no lock is held
// here but that of the progress line.
package main
