// Package socket is the controller's end of a WebSocket (RFC 6455) after its
// handshake, for thousands of connections that are silent most of the time.
//
// A connection that waits needs no goroutine and no buffer: a Poller tells
// which ones have something to read, and whoever has asked it reads them
// without blocking. A goroutine for each would cost its stack, and the collector
// counts stacks twice: measured, 9 of 23 KB for each agent. Frames are made and
// taken apart here; the handshake is gorilla's.
//
// It is not for clients, for compression, or for what the messages mean. It
// starts no goroutine, except where the system has no epoll: there one waits
// for each connection (build with the tag noepoll to try that).
//
// A Conn is read by one caller at a time, the one that Poller.Wait gave it to;
// Write may be called beside it, by one caller at a time. Poller.mu guards the
// table of connections.
package socket
