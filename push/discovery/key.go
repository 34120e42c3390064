package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// maxKey is the longest name of a node, in bytes.
const maxKey = 128

// keyOf names an instance after where it listens: prefix, host, port and path,
// with "-" for what the name of a node cannot hold. What is too long ends in a
// hash instead.
func keyOf(prefix, base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return "" // not reached: base comes from instance.ParseURL
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	key := prefix + "-" + strings.TrimSuffix(u.Hostname(), ".") + "-" + port + u.EscapedPath()
	key = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, key)
	key = strings.TrimRight(key, "._-")
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(base))
	end := "-" + hex.EncodeToString(sum[:8])
	return key[:maxKey-len(end)] + end
}
