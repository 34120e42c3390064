package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/droverhq/drover/agent/store"
)

const (
	stateDir  = "state"
	peersFile = "state/peers.json"
)

// maxPeers bounds what is learnt: nobody runs more controllers.
const maxPeers = 64

func makeState(root *os.Root) error {
	if err := root.Mkdir(stateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// learnt reads the addresses last told by a controller. A file that cannot be
// read is as good as none: the configured ones remain.
func learnt(root *os.Root) []string {
	text, err := root.ReadFile(peersFile)
	if err != nil {
		return nil
	}
	var peers []string
	if json.Unmarshal(text, &peers) != nil {
		return nil
	}
	return usable(peers)
}

func savePeers(root *os.Root, peers []string) error {
	text, err := json.Marshal(usable(peers))
	if err != nil {
		return err
	}
	return store.Replace(root, peersFile, text)
}

// usable keeps the addresses that may be called, each once.
func usable(peers []string) []string {
	var out []string
	for _, p := range peers {
		p = strings.TrimRight(p, "/")
		if CheckAddress(p) == nil && !slices.Contains(out, p) && len(out) < maxPeers {
			out = append(out, p)
		}
	}
	return out
}

// proxyOf chooses the proxy of a request: the configured one, or the usual
// environment. Plain http goes to this machine only, and never to a proxy.
func proxyOf(configured string) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme == "http" || r.URL.Scheme == "ws" {
			return nil, nil
		}
		if configured != "" {
			return url.Parse(configured)
		}
		return http.ProxyFromEnvironment(r)
	}
}

// clip bounds a text for a message, at the start of a rune.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xC0 == 0x80 {
		limit--
	}
	return s[:limit] + "…"
}
