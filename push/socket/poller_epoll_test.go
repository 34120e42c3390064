//go:build linux && !noepoll

package socket

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

func TestWhoWaitsNeedsNoGoroutine(t *testing.T) {
	h := newHall(t, false)
	ws := h.enter("first")
	h.say(ws, []byte("x"))
	h.hears(ws, []byte("x"))
	before := runtime.NumGoroutine()
	for i := range 50 {
		ws := h.enter(fmt.Sprint(i))
		h.say(ws, []byte("who"))
		h.hears(ws, []byte(fmt.Sprintf("<%d>", i)))
	}
	deadline := time.After(10 * time.Second)
	for runtime.NumGoroutine() > before+10 { // handlers end a little later
		select {
		case <-deadline:
			t.Fatalf("%d goroutines for 50 connections more", runtime.NumGoroutine()-before)
		default:
			runtime.Gosched()
		}
	}
}
