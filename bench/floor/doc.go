// Package floor is what every delivery has to cost at least: one WebSocket
// server that broadcasts one prepared frame to all its clients and counts
// their confirmations. It keeps nothing, signs nothing, asks nobody, and has
// no cluster; whatever Drover takes longer is the price of what it promises.
//
// It is written as a fair bare broadcast: read loops have left the HTTP
// handler (so that a connection does not keep its stack and its buffers),
// buffers are small, write buffers are shared, the frame is encoded once.
//
// Goroutines: one reader per connection; a broadcast has one writer per
// processor and waits for them. mu guards the list of connections.
package floor
