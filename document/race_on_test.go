//go:build race

package document_test

import "time"

// Under the race detector everything takes ten times as long: less is tried.
const (
	longArray      = 20_000
	processorLimit = 20 * time.Second
)
