package cluster

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/droverhq/drover/fsm"
)

// writes proposes small commands from as many goroutines, spread over the peers, with fsync.
func writes(b *testing.B, writers int, peers ...*peer) {
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan struct{})
	for w := range writers {
		p := peers[w%len(peers)]
		go func() {
			defer func() { done <- struct{}{} }()
			for n.Add(1) <= int64(b.N) {
				if _, err := p.Propose(b.Context(), fsm.Command{Body: fsm.Note{}}); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	for range writers {
		<-done
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

func BenchmarkPropose(b *testing.B) {
	one := initPeer(b).ready()
	for _, w := range []int{1, 64} {
		b.Run(fmt.Sprintf("single/writers=%d", w), func(b *testing.B) { writes(b, w, one) })
	}
	one.kill()
	peers := three(b)
	l := leader(b, peers...)
	for _, w := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("leader/writers=%d", w), func(b *testing.B) { writes(b, w, l) })
		b.Run(fmt.Sprintf("followers/writers=%d", w), func(b *testing.B) { writes(b, w, others(peers, l)...) })
	}
	b.Run("leader/strong reads=64", func(b *testing.B) { reads(b, 64, l) })
	b.Run("followers/strong reads=64", func(b *testing.B) { reads(b, 64, others(peers, l)...) })
}

func reads(b *testing.B, readers int, peers ...*peer) {
	var n atomic.Int64
	b.ResetTimer()
	done := make(chan struct{})
	for r := range readers {
		p := peers[r%len(peers)]
		go func() {
			defer func() { done <- struct{}{} }()
			for n.Add(1) <= int64(b.N) {
				if _, err := p.ReadIndex(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	for range readers {
		<-done
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}
