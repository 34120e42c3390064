// Package enroll is the controller's side of POST /agent/v1/enroll: it reads
// the request of an agent, checks that the agent holds the private half of the
// key that it registers, and writes the answer.
//
// It lies below push because it speaks the wire's vocabulary; it is apart from
// it because enrolment needs no session. It does not know whether a token is
// good: package api asks the replicated state.
//
// All functions are pure; the package starts no goroutine and has no lock.
package enroll
