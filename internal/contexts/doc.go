// Package contexts finds out which cluster the command line speaks to, and as
// whom: flags before the environment before the configuration file before
// defaults. The file holds named contexts and the login sessions of `drover
// login`; it is for its owner alone (0600).
//
// A credential of the file goes to the addresses of its own context only: to
// name another address with --addr does not carry it there.
//
// It is not for the server's configuration. It starts no goroutine and has no
// lock; two programs that write the file at once leave one whole file.
package contexts
