//go:build !race

package push

// simDefault takes a few seconds.
const simDefault = 300
