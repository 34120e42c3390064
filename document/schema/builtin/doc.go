// Package builtin holds what Drover itself knows about the content of the two
// documents that webhook services read: those whose targets are webhooks and
// connections. webhooks.json and connections.json beside this file are JSON
// Schemas, to be read by people, too; References and Connections find the names
// by which hooks refer to connections.
//
// It knows no more of a service than that: which modules there are, and what
// each needs, differs from service to service and from release to release. What
// a service would take is never refused here.
//
// It is not for: deciding which documents are held against a schema, or which
// connections go to the same nodes (api).
//
// All functions are pure, start no goroutines, hold no locks and are safe for
// concurrent use.
package builtin
