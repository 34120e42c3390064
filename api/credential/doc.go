// Package credential makes and checks what people and programs prove
// themselves with: passwords (argon2id, in PHC string form), and the secrets
// of login sessions, API tokens and enrolment tokens.
//
// A secret has 256 random bits and is shown once; the replicated state keeps
// its SHA-256 only. Beside the secret every credential carries its id and the
// (epoch, index) at which it was made, so that a peer which lags behind knows
// that it has to wait for it rather than to refuse it.
//
// It is not for deciding who may do what (package api), and it stores nothing.
//
// Goroutines: none. Locks: none; a Hasher bounds with a semaphore how many
// passwords are worked on at once, because each needs much memory.
package credential
