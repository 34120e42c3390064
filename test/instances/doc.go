// Package instances holds what Drover says of webhook instances against a real
// service of another stack (package pyservice), and against the agent's own
// (agent/serve): what one of the two computes or refuses, the other has to.
//
// It is not for how Drover calls instances, nor for clusters: that is tested in
// push and test/e2e. Its tests start processes and end them by their ids; there
// is no lock.
package instances
