package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// kilobyte is a document of about 1 KB, as a router has it.
func kilobyte(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"content":{"generation":%d,"routes":[`, n)
	for i := range 14 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"prefix":"10.%d.0.0/16","nextHop":"192.0.2.%d","metric":%d}`, i, i, i*10)
	}
	b.WriteString(`]}}`)
	return b.String()
}

// BenchmarkPutDocument is what a put of 1 KB costs on one peer: reading,
// checking, encoding, applying, answering; no Raft and no socket.
func BenchmarkPutDocument(b *testing.B) {
	w := newWorld(b, func(c *Config, d *Deps) { d.Log, c.RequestsPerSecond = nil, 1<<30 })
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		q := w.build(request{method: http.MethodPut, path: "/api/v1/documents/routing%2Fcore", body: kilobyte(n)})
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, q)
		if rec.Code >= 300 {
			b.Fatal(rec.Body)
		}
	}
}

// BenchmarkFleet is the strip of 10,000 nodes.
func BenchmarkFleet(b *testing.B) {
	w := newWorld(b, func(c *Config, d *Deps) { d.Log, c.RequestsPerSecond = nil, 1<<30 })
	for i := range 10_000 {
		w.enroll(fmt.Sprintf("edge-%d", i), map[string]string{"site": fmt.Sprintf("site-%d", i%100)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if rec := w.do(request{method: http.MethodGet, path: "/api/v1/fleet"}); rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

// BenchmarkListNodes is one page of 10,000 nodes, filtered and sorted.
func BenchmarkListNodes(b *testing.B) {
	w := newWorld(b, func(c *Config, d *Deps) { d.Log, c.RequestsPerSecond = nil, 1<<30 })
	for i := range 10_000 {
		w.enroll(fmt.Sprintf("edge-%d", i), map[string]string{"site": fmt.Sprintf("site-%d", i%100)})
	}
	for b.Loop() {
		if rec := w.do(request{method: http.MethodGet, path: "/api/v1/nodes?q=status%3Doffline&sort=site"}); rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

// BenchmarkPutWebhooks is a put of webhooks with their references checked on
// 10,000 nodes, half of which get other connections.
func BenchmarkPutWebhooks(b *testing.B) {
	w := newWorld(b, func(c *Config, d *Deps) { d.Log, c.RequestsPerSecond = nil, 1<<30 })
	for i := range 10_000 {
		w.enroll(fmt.Sprintf("edge-%d", i), map[string]string{"half": fmt.Sprintf("h%d", i%2)})
	}
	for i := range 2 {
		w.put(fmt.Sprintf("connections-%d", i), fmt.Sprintf(`{"target":"connections","selector":"half=h%d","content":%s}`, i, realDocument(b, "connections.json")))
	}
	hooks := strings.Replace(realDocument(b, "webhooks.json"), "{", `{"n":{"module":"log","n":%d},`, 1)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		q := w.build(request{method: http.MethodPut, path: webhooksPath, body: `{"content":` + fmt.Sprintf(hooks, n) + `}`})
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, q)
		if rec.Code >= 300 || strings.Contains(rec.Body.String(), "warnings") {
			b.Fatal(rec.Body)
		}
	}
}
