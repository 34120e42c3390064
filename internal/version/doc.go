// Package version holds the version that the build stamps into both programs.
//
// It is not for the versions of documents, of commands or of the protocol. It owns no goroutine
// and no lock.
package version
