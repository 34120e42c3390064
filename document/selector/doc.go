// Package selector decides which nodes a document is for: Kubernetes label
// selectors over a node's labels.
//
// The syntax is that of Kubernetes ("Labels and Selectors" in its
// documentation): requirements joined by commas, all of which must hold.
//
//	env = prod, role == edge    the label has the value
//	env != prod                 it has another value, or is absent
//	site in (a, b)              it has one of the values
//	site notin (a, b)           it has none of them, or is absent
//	gpu                         it is there
//	!gpu                        it is absent
//
// An empty selector matches every node. The comparisons < and > of some
// Kubernetes APIs are not part of it.
//
// What a selector matches is part of what wanted(node) means, on every peer and
// for ever: it must not change with a library's version, which is one reason why
// this is not one (docs/decisions/0003-selectors.md).
//
// It is not for: matching facts, which are what a node says of itself.
//
// All functions are pure, start no goroutines, hold no locks and are safe for
// concurrent use.
package selector
