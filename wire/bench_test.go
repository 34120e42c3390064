package wire

import (
	"crypto/ed25519"
	"testing"
)

// oneKey is an update of one key, as most are, and its confirmation.
func oneKey() (Update, Ack) {
	sum := "T1PNoYwrqgwDVLtfmj7L5e0Sq02OEbqHPC8RFhICuUU"
	h := Header{Purpose: PurposeUpdate, Cluster: "c-1", Epoch: 1, Index: 5_700_000, Revision: 90_000, Audience: sum, Base: sum, Manifest: sum}
	u := Update{Update: "1z4", Header: h.Text(), Documents: []Document{
		{Target: "routing/core", Version: 312, Base: sum, Patch: []byte(`[{"op":"replace","path":"/limits/rate_042","value":"000000000312"}]`)},
	}}
	u.Signature = Sign(seeded(0x20), u.Header)
	return u, Ack{Seq: 9, Update: u.Update, Manifest: sum, Millis: 12, Confirmed: true}
}

func BenchmarkEncode(b *testing.B) {
	u, a := oneKey()
	for name, m := range map[string]Message{"update": u, "ack": a} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				frame, err := Encode(m)
				if err != nil {
					b.Fatal(err)
				}
				size = len(frame)
			}
			b.ReportMetric(float64(size), "B/frame")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	u, a := oneKey()
	for name, m := range map[string]Message{"update": u, "ack": a} {
		frame, err := Encode(m)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	u, _ := oneKey()
	key := seeded(0x20)
	b.ReportAllocs()
	for b.Loop() {
		Sign(key, u.Header)
	}
}

func BenchmarkOpenHeader(b *testing.B) {
	u, _ := oneKey()
	pinned := []ed25519.PublicKey{public(seeded(0x20))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := OpenHeader(pinned, u.Header, u.Signature); err != nil {
			b.Fatal(err)
		}
	}
}
