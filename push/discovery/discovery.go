package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/droverhq/drover/push/instance"
)

// ErrEmpty is in the error of a source that answered, and named no instance. It
// says nothing about those that it named before.
var ErrEmpty = errors.New("the source names no instance, so those known before stay as they are")

const (
	defaultTimeout = 10 * time.Second
	maxFound       = 10_000 // instances of one source
	maxText        = 500    // bytes of what a source says, in an error
)

// Config is what a Finder is made of.
type Config struct {
	// Files is the directory below which the files of sources are. None: there
	// are no sources of kind file on this peer.
	Files string
	// Timeout bounds one look. Default 10 s.
	Timeout time.Duration
}

// Deps are what a Finder uses.
type Deps struct {
	// Client lends its connections: Consul and a resolver that a source names are
	// reached under the same rules as instances.
	Client *instance.Client
}

// Finder looks at sources.
type Finder struct {
	config Config
	client *instance.Client
}

// New makes a Finder.
func New(c Config, d Deps) *Finder {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return &Finder{c, d.Client}
}

// Secrets are what a source needs and does not hold.
type Secrets struct {
	Consul instance.Token // ACL token; none: anonymous
}

// Found is one instance of a source.
type Found struct {
	Key     string // a valid name for a node, the same at every look
	URL     string // as instance.ParseURL gives it
	Labels  map[string]string
	Accepts []string // targets; empty: the default
}

// Find looks at a source once. The instances are sorted by Key and distinct. An
// error means that nothing is to be changed; errors.Is tells ErrEmpty from a
// failure, and the error of ctx when it was cancelled.
func (f *Finder) Find(ctx context.Context, s Source, secrets Secrets) ([]Found, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, f.config.Timeout)
	defer cancel()
	var found []Found
	var err error
	switch s.Kind {
	case KindDNS:
		found, err = f.findDNS(limited, s)
	case KindConsul:
		found, err = f.findConsul(limited, s, secrets)
	case KindFile:
		found, err = f.findFile(s)
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("looking for instances: %w", ctx.Err())
	case err != nil && limited.Err() != nil:
		return nil, fmt.Errorf("%s gave no answer within %s", s.asked(), f.config.Timeout)
	case err != nil:
		return nil, err
	}
	return settle(found)
}

// settle sorts, drops what was named twice, and refuses what is ambiguous.
func settle(found []Found) ([]Found, error) {
	if len(found) == 0 {
		return nil, ErrEmpty
	}
	slices.SortFunc(found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.URL, b.URL))
	})
	found = slices.CompactFunc(found, func(a, b Found) bool { return a.Key == b.Key && a.URL == b.URL })
	for i := 1; i < len(found); i++ {
		if a, b := found[i-1], found[i]; a.Key == b.Key {
			return nil, fmt.Errorf("%s and %s would both be the node %s: give them ids of their own", a.URL, b.URL, a.Key)
		}
	}
	if len(found) > maxFound {
		return nil, fmt.Errorf("the source names %d instances, %d are allowed", len(found), maxFound)
	}
	return found, nil
}

// make builds an instance from where it listens and the template.
func (s Source) make(scheme, hostport string) (Found, error) {
	url, err := instance.ParseURL(scheme + "://" + hostport + s.Template.Path)
	if err != nil {
		return Found{}, err
	}
	return Found{
		Key: keyOf(s.prefix(), url), URL: url,
		Labels: maps.Clone(s.Template.Labels), Accepts: slices.Clone(s.Template.Accepts),
	}, nil
}
