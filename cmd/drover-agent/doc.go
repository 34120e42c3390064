// Command drover-agent is the program that runs on a node: it keeps the node's
// configuration files as the controllers want them.
//
// main reads flags and files, and hands over to package agent. It is not for
// anything that a test of package agent could not reach. It starts no goroutine
// of its own but the one that signal handling needs, and has no lock.
package main
