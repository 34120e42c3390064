package load

import (
	"fmt"
	"strings"
)

// HookKey is the webhook of Hooks that changes.
const HookKey = "bench"

// Hooks makes a document of about size bytes, as webhook services read one.
func Hooks(size int, value string) []byte {
	var b strings.Builder
	b.WriteString(`{"` + HookKey + `":{"module":"log","value":"` + value + `"}`)
	for i := 0; b.Len()+1 < size; i++ {
		fmt.Fprintf(&b, `,"hook_%04d":{"data_type":"json","module":"save_to_disk","module-config":{"path":"webhooks/%d"},"retry":{"enabled":true,"max_attempts":%d}}`, i, i, 1+i%5)
	}
	b.WriteString("}")
	return []byte(b.String())
}
