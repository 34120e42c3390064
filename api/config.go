package api

import (
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/droverhq/drover/api/credential"
)

// Config of a Server. The zero value of a field stands for its default.
type Config struct {
	// TrustedProxies may tell the client's address (X-Forwarded-For) and scheme
	// (X-Forwarded-Proto); from anybody else these headers mean nothing.
	TrustedProxies []netip.Prefix
	// Origins are further origins whose pages may use the session cookie.
	Origins []string

	SessionIdle time.Duration // until an unused login session ends; default 12 h
	SessionMax  time.Duration // until any login session ends; default 7 days

	RequestsPerSecond int // of one token or login session; default 20,000
	LoginsPerMinute   int // failed ones, of one account and of one address; default 5
	EnrollsPerSecond  int // of one address; default 50

	Streams StreamConfig // event streams

	BehindTimeout   time.Duration // for Drover-Index; default 2 s
	WriteTimeout    time.Duration // for a proposal; default 10 s
	PasswordCost    credential.Cost
	PasswordsAtOnce int // default 2
}

// StreamConfig bounds the event streams of a peer.
type StreamConfig struct {
	Limit     int           // of this peer; default 512
	Each      int           // of one token or login session; default 32
	Heartbeat time.Duration // default 15 s
	Write     time.Duration // in which a client must take an event, or is dropped; default 10 s
	Coalesce  time.Duration // between node events of a stream; default 250 ms
}

func (c Config) withDefaults() Config {
	def(&c.SessionIdle, 12*time.Hour)
	def(&c.SessionMax, 7*24*time.Hour)
	def(&c.RequestsPerSecond, 20_000)
	def(&c.LoginsPerMinute, 5)
	def(&c.EnrollsPerSecond, 50)
	def(&c.Streams.Limit, 512)
	def(&c.Streams.Each, 32)
	def(&c.Streams.Heartbeat, 15*time.Second)
	def(&c.Streams.Write, 10*time.Second)
	def(&c.Streams.Coalesce, 250*time.Millisecond)
	def(&c.BehindTimeout, 2*time.Second)
	def(&c.WriteTimeout, 10*time.Second)
	def(&c.PasswordCost, credential.DefaultCost())
	def(&c.PasswordsAtOnce, 2)
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate names the key that cannot be.
func (c Config) Validate() error {
	for _, o := range c.Origins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return fmt.Errorf("origins: %q is not of the form https://host:port", o)
		}
	}
	for key, d := range map[string]time.Duration{
		"session_idle": c.SessionIdle, "session_max": c.SessionMax, "streams.heartbeat": c.Streams.Heartbeat, "streams.write": c.Streams.Write,
		"streams.coalesce": c.Streams.Coalesce, "behind_timeout": c.BehindTimeout, "write_timeout": c.WriteTimeout,
	} {
		if d < 0 {
			return fmt.Errorf("%s: %s is negative", key, d)
		}
	}
	return nil
}
