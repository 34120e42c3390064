//go:build !race

package document_test

import "time"

// What the tests of bounded time try, and how much of the processor one step may
// take: it is a fraction of a second everywhere, and minutes where an algorithm
// is quadratic.
const (
	longArray      = 100_000
	processorLimit = 4 * time.Second
)
