package instance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// document10K is a document of 10 KB, as the figures of the sync use it.
func document10K() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := 0; b.Len() < 10_000; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"hook_%d":{"module":"log","authorization":"none","retries":%d}`, i, i)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func benchServers(b *testing.B, n int) []Target {
	targets := make([]Target, n)
	for i := range targets {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, success)
		}))
		b.Cleanup(s.Close)
		targets[i] = Target{ID: fmt.Sprint("hook-", i), URL: s.URL, Token: NewToken(canary)}
	}
	return targets
}

// BenchmarkUpdate is one call over a kept connection, with the service in the
// same process.
func BenchmarkUpdate(b *testing.B) {
	c := NewClient(Rules{Allow: loopback()})
	defer c.Close()
	targets, update := benchServers(b, 1), Update{"webhooks", document10K(), "1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Update(b.Context(), targets[0], update); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpdate500 is 10 KB to 500 instances, all at once: over new
// connections, then over kept ones.
func BenchmarkUpdate500(b *testing.B) {
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("kept=%v", kept), func(b *testing.B) {
			c := NewClient(Rules{Allow: loopback()})
			defer c.Close()
			targets, update := benchServers(b, 500), Update{"webhooks", document10K(), "1"}
			all := func() {
				var wg sync.WaitGroup
				for _, t := range targets {
					wg.Go(func() {
						if _, err := c.Update(b.Context(), t, update); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
			if kept {
				all()
			}
			b.ReportAllocs()
			for b.Loop() {
				all()
				if !kept {
					c.Close()
				}
			}
		})
	}
}
