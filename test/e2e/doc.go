// Package e2e tests the whole: the real programs as `drover dev` runs them,
// every controller and agent a process of its own, driven by the command line
// and looked at from outside: answers, exit codes, files of the agents.
//
// It is not for what one package can show by itself. Processes are ended by
// their ids, ports are free ones below the range of outgoing connections, and
// everything is below a temporary directory. The goroutines of a test end with
// it; there is no lock but those of the helpers.
package e2e
