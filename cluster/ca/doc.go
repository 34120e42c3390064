// Package ca is the trust between peers: the cluster's certificate authority,
// the certificates and identities of peers, join tokens, and the sealing of
// secrets with the key file that every peer has.
//
// It is not for agents, who prove themselves with keys of their own, and it
// opens no connection. Private keys are made here and never logged: the types
// that hold them have no text form.
//
// Every function is pure but for randomness and the clock given to it. The
// package starts no goroutine and has no lock.
package ca
