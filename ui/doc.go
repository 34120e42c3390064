// Package ui holds Drover's web interface and serves it.
//
// The interface itself is the React program under src, built by `npm ci && npm run build` into dist, which this
// package embeds. Handler serves it: index.html for every path that is a page, with a content security policy and a
// nonce made anew for each answer; the hashed files under /assets/ for ever cacheable and already compressed. A program
// built before the interface answers every page with one that says how to build it.
//
// It is not for data: everything the interface shows and does goes through the HTTP API, which package api serves
// under /api/.
//
// The handler has no goroutines and no locks; what it serves is read once, when the handler is made, and never changes.
package ui
