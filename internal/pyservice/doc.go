// Package pyservice starts real webhook services of another stack for tests:
// service.py on Debian's FastAPI and uvicorn, with the four admin endpoints of
// docs/protocol.md and the habits of such services. What a test learns from it
// is that Drover gets on with a program that shares none of its code: Python's
// own JSON, hash, HTTP server.
//
// It is for tests alone; no program imports it. Services that misbehave are in
// package badinstance.
//
// Each service is a process of its own, ended by its id when the test ends, and
// by itself when its standard input closes, so that it outlives no killed test.
// A Service owns one goroutine per process, which ends with that. A Service is
// used by one goroutine at a time; its log alone is guarded by a lock.
package pyservice
