package agent

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// BenchmarkApply is the whole way of an update on the node, from the frame on
// the socket to the ack, every fsync included: a document of so many bytes of
// which one key changes, as a delta, beside three documents that stay.
func BenchmarkApply(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("delta/%dKiB", size>>10), func(b *testing.B) { benchmarkApply(b, size, true) })
		b.Run(fmt.Sprintf("full/%dKiB", size>>10), func(b *testing.B) { benchmarkApply(b, size, false) })
	}
}

func benchmarkApply(b *testing.B, size int, delta bool) {
	c := newCluster(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	p := newPeer(c, "ctl-1", l)
	dir := b.TempDir()
	c.enrolled(dir, "edge-1")
	startAgent(b, Config{Dir: dir, Peers: []string{"http://" + l.Addr().String()}}, Deps{Log: slog.New(slog.DiscardHandler)})
	s := p.session()

	contents := [2]docs{}
	for i := range contents {
		contents[i] = docs{"a": fmt.Sprintf(`{"mtu":%d,`, 1400+i) + body(size) + "}", "b": `{"x":1}`, "c/d": `{}`, "e": `{}`}
	}
	var sums [2]string
	for i := range contents {
		sum, err := document.Sum([]byte(contents[i]["a"]))
		must(b, err)
		sums[i] = sum.String()
	}
	manifests := [2]string{contents[0].manifest(b), contents[1].manifest(b)}
	s.send(c.update(1, nil, contents[0]))
	next[wire.Ack](s)
	b.SetBytes(int64(size))
	at := 0
	for i := uint64(2); b.Loop(); i++ {
		to := 1 - at
		d := wire.Document{Target: "a", Version: i, Content: []byte(contents[to]["a"])}
		if delta {
			d = wire.Document{Target: "a", Version: i, Base: sums[at], Patch: fmt.Appendf(nil, `[{"op":"replace","path":"/mtu","value":%d}]`, 1400+to)}
		}
		s.send(c.sign(wire.Update{Update: "u", Documents: []wire.Document{d}}, wire.Header{Purpose: wire.PurposeUpdate, Cluster: c.id,
			Epoch: 1, Index: i, Revision: i, Audience: audience, Base: manifests[at], Manifest: manifests[to]}))
		if ack := next[wire.Ack](s); ack.Manifest != manifests[to] {
			b.Fatalf("%+v", ack)
		}
		at = to
	}
}

// body is members that look like a configuration, of about so many bytes.
func body(size int) string {
	var out strings.Builder
	for i := 0; out.Len() < size-60; i++ {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `"route-%d":{"to":"10.%d.%d.0/24","via":"192.0.2.%d"}`, i, i>>8&255, i&255, i&255)
	}
	return out.String()
}
