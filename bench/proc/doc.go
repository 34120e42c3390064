// Package proc is what the benchmark needs of the operating system: processes
// of its own that it talks to by lines of JSON, the processor time and the
// memory of any process, and the limit of open files. It runs on Linux, where
// /proc has these numbers.
//
// It is not for measuring by itself: what is compared with what is decided by
// the program.
//
// Goroutines: Child has one that reads the lines of its process and one that
// waits for its end; both end with the process. There is no lock.
package proc
