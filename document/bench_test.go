package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
)

// config makes a document of about n bytes that looks like the field: hooks by
// name and routes in an array. variant changes one value of it.
func config(n, variant int) []byte {
	var b strings.Builder
	b.WriteString(`{"hooks":{`)
	for i := 0; b.Len() < n/2; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		retries := i
		if i == 3 {
			retries += variant
		}
		fmt.Fprintf(&b, `"hook-%d":{"module":"http","retries":%d,"timeout":1.5,"url":"https://example.com/%d","tags":["a","b"]}`, i, retries, i)
	}
	b.WriteString(`},"routes":[`)
	for i := 0; b.Len() < n-100; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"prefix":"10.%d.%d.0/24","via":"192.0.2.%d","metric":%d,"name":"Stra\u00dfe \"%d\""}`, i/256%256, i%256, i%256, i, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func sizes(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range []int{10 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", n>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(n))
			run(b, n)
		})
	}
}

func BenchmarkCompact(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		text := config(n, 0)
		for b.Loop() {
			if _, err := document.Compact(text, document.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSum(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		text := config(n, 0)
		for b.Loop() {
			if _, err := document.Sum(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDiffOfOneKey(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		from, to := config(n, 0), config(n, 1)
		for b.Loop() {
			if _, err := document.Diff(from, to); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkApplyOneOperation(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		text := config(n, 0)
		patch := []byte(`[{"op":"replace","path":"/hooks/hook-3/retries","value":7}]`)
		for b.Loop() {
			if _, err := document.Apply(text, patch, document.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkInstanceVersion(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		text := config(n, 0)
		for b.Loop() {
			if _, err := document.InstanceVersion(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkManifestSum(b *testing.B) {
	entries := make([]document.Entry, 8)
	for i := range entries {
		entries[i].Target = fmt.Sprintf("routing/core-%d", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		document.ManifestSum(entries)
	}
}

func BenchmarkHasPlaceholders(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		text := config(n, 0)
		for b.Loop() {
			if document.HasPlaceholders(text) {
				b.Fatal("there are none")
			}
		}
	})
}
