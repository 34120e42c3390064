package serve

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkPush is a push of 10 KiB from the call to the answer, durable, with
// no hook.
func BenchmarkPush(b *testing.B) {
	i := start(b, Config{}, Deps{})
	i.server.right.SetBurst(1 << 30)
	fill := strings.Repeat("x", 10<<10)
	for n := 0; b.Loop(); n++ {
		i.pushed("a", fmt.Sprintf(`{"n":%d,"fill":%q}`, n, fill))
	}
}
