package badinstance

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Behaviour is one way to misbehave. It applies to every request until Behave
// is called again; On, Times and For narrow that. The zero value is of no use:
// take one of the functions below.
type Behaviour struct {
	do    func(*call)
	paths []string
	left  int           // requests; 0 is no limit
	span  time.Duration // 0 is no limit
}

// On narrows it to the requests to some of the paths.
func (b Behaviour) On(paths ...string) Behaviour { b.paths = paths; return b }

// Times narrows it to the next n requests that it is for.
func (b Behaviour) Times(n int) Behaviour { b.left = n; return b }

// For narrows it to a time from Behave on.
func (b Behaviour) For(d time.Duration) Behaviour { b.span = d; return b }

// behaviour is one that has begun; the lock of the server guards it.
type behaviour struct {
	Behaviour
	limited bool
	end     time.Time // zero is none
}

func (b Behaviour) begin(now time.Time) *behaviour {
	out := &behaviour{Behaviour: b, limited: b.left > 0}
	if b.span > 0 {
		out.end = now.Add(b.span)
	}
	return out
}

// takes tells whether it is for a request, and counts that.
func (b *behaviour) takes(r Request) bool {
	switch {
	case len(b.paths) > 0 && !slices.Contains(b.paths, r.Path),
		b.limited && b.left == 0,
		!b.end.IsZero() && r.Time.After(b.end):
		return false
	}
	b.left-- // below zero where there is no limit
	return true
}

// wait returns true after a time, and false when nobody waits for the answer
// any more.
func (c *call) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.r.Context().Done():
	case <-c.closing:
	}
	return false
}

// Hang reads the request and never answers.
func Hang() Behaviour {
	return Behaviour{do: func(c *call) {
		select {
		case <-c.r.Context().Done():
		case <-c.closing:
		}
		c.cut(nil)
	}}
}

// Slow answers well after a time.
func Slow(d time.Duration) Behaviour {
	return Behaviour{do: func(c *call) {
		if c.wait(d) {
			c.good()
			return
		}
		c.cut(nil)
	}}
}

// Drip answers 200, and then one space of a body without end after each period:
// there is always progress and never an answer.
func Drip(every time.Duration) Behaviour {
	return Behaviour{do: func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		flush := http.NewResponseController(c.w)
		for {
			if _, err := c.w.Write([]byte(" ")); err != nil {
				return
			}
			if flush.Flush() != nil || !c.wait(every) {
				return
			}
		}
	}}
}

// Redirect answers with a status such as 301, 302, 307 or 308, to the same path
// at another address (http://HOST:PORT).
func Redirect(status int, to string) Behaviour {
	return Behaviour{do: func(c *call) { http.Redirect(c.w, c.r, to+c.r.URL.Path, status) }}
}

// Huge answers 200 with a JSON object of about so many bytes.
func Huge(size int) Behaviour {
	return Behaviour{do: func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		chunk := bytes.Repeat([]byte("x"), 32<<10)
		_, err := fmt.Fprintf(c.w, `{"status":"success","instance_id":%q,"details":"`, c.id)
		for sent := 0; sent < size && err == nil; sent += len(chunk) {
			_, err = c.w.Write(chunk)
		}
		if err == nil {
			_, _ = c.w.Write([]byte(`"}`)) // a client that stops reading is right
		}
	}}
}

// Garbage answers 200 with a text that is no JSON.
func Garbage() Behaviour {
	return Behaviour{do: func(c *call) {
		c.w.Header().Set("Content-Type", "application/json")
		_, _ = c.w.Write([]byte(`<html>{"status": "succ`)) // a client that has gone needs no answer
	}}
}

// ErrorAs200 answers 200 with a body that says status error. Nothing is written.
func ErrorAs200(reason string) Behaviour {
	return Behaviour{do: func(c *call) { c.outcome(http.StatusOK, reason) }}
}

// Status answers with any status, such as 401, 403, 408, 500 or 503, and does
// nothing else.
func Status(status int) Behaviour {
	return Behaviour{do: func(c *call) { c.json(status, map[string]string{"detail": http.StatusText(status)}) }}
}

// RetryAfter is Status with a Retry-After of whole seconds.
func RetryAfter(status, seconds int) Behaviour {
	return Behaviour{do: func(c *call) {
		c.w.Header().Set("Retry-After", strconv.Itoa(seconds))
		c.json(status, map[string]string{"detail": http.StatusText(status)})
	}}
}

// Busy writes what an update brings, does not run it, and answers 400 "Reload
// already in progress".
func Busy() Behaviour {
	return Behaviour{do: func(c *call) {
		if c.req.Path == Update && c.malformed == nil {
			c.write()
		}
		c.outcome(http.StatusBadRequest, "Reload already in progress")
	}}
}

// Refuse writes what an update brings, whatever it is, does not run it, and
// answers 400 with a reason.
func Refuse(reason string) Behaviour {
	return Behaviour{do: func(c *call) {
		if c.req.Path == Update && c.malformed == nil {
			c.write()
		}
		c.outcome(http.StatusBadRequest, reason)
	}}
}

// Lie answers success and keeps nothing: the version stays what it was.
func Lie() Behaviour {
	return Behaviour{do: func(c *call) { c.outcome(http.StatusOK, "") }}
}

// Identity does well under another instance_id: the address is another one's
// now.
func Identity(id string) Behaviour {
	return Behaviour{do: func(c *call) { c.id = id; c.good() }}
}

// Reset ends the connection with RST before anything is answered. Nothing is
// kept.
func Reset() Behaviour {
	return Behaviour{do: func(c *call) {
		c.cut(func(conn net.Conn) {
			if t, ok := conn.(*net.TCPConn); ok {
				_ = t.SetLinger(0) // makes Close send RST
			}
		})
	}}
}

// DropAfter does what the request asks for and ends the connection in the
// middle of the answer: nobody knows what became of it.
func DropAfter() Behaviour {
	return Behaviour{do: func(c *call) {
		if c.req.Path == Update && c.malformed == nil {
			c.write()
			c.run()
		}
		c.drop()
	}}
}

// DropBefore does nothing and ends the connection in the middle of an answer.
func DropBefore() Behaviour { return Behaviour{do: (*call).drop} }

func (c *call) drop() {
	const half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n" + `{"status": "success", "err`
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = conn.Write([]byte(half)) // it is closed at once anyway
	_ = conn.Close()
}

// cut ends the connection without an answer.
func (c *call) cut(first func(net.Conn)) {
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil { // the answer has begun
		panic(http.ErrAbortHandler)
	}
	if first != nil {
		under := conn
		if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // below TLS
			under = t.NetConn()
		}
		first(under)
		conn = under
	}
	_ = conn.Close()
}
