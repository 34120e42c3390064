package discovery

import (
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/droverhq/drover/push/instance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newFinder may call loopback.
func newFinder(t *testing.T, c Config) *Finder {
	t.Helper()
	client := instance.NewClient(instance.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(client.Close)
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	return New(c, Deps{Client: client})
}

// strict may call nothing but public addresses.
func strict(t *testing.T) *Finder {
	t.Helper()
	client := instance.NewClient(instance.Rules{})
	t.Cleanup(client.Close)
	return New(Config{}, Deps{Client: client})
}

func show(found []Found) []string {
	var lines []string
	for _, f := range found {
		lines = append(lines, f.Key+" "+f.URL)
	}
	return lines
}
