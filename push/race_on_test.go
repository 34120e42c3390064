//go:build race

package push

// simDefault is few: the race detector makes a seed ten times slower, and
// TestThousandsOfSeeds runs many without it.
const simDefault = 60
