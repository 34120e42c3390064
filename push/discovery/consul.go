package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/hashicorp/consul/api"

	"github.com/droverhq/drover/push/instance"
)

// maxCatalogue bounds an answer of Consul, in bytes: some 10,000 instances.
const maxCatalogue = 16 << 20

// tokenHeader carries the ACL token.
const tokenHeader = "X-Consul-Token"

// findConsul asks once: for the passing instances its health endpoint, else the
// catalogue. Its client would fill what a source leaves open from CONSUL_*
// variables, an ACL token included; the transport below puts that right.
func (f *Finder) findConsul(ctx context.Context, s Source, secrets Secrets) ([]Found, error) {
	base, err := f.client.Transport(s.Consul.TLS)
	if err != nil {
		return nil, fmt.Errorf("consul.tls: %w", err)
	}
	client, err := api.NewClient(&api.Config{
		Address: s.Consul.Address, Scheme: or(s.Consul.Scheme, "http"), Token: "set by the transport",
		HttpClient: &http.Client{
			Transport:     &consulTransport{base, s.Consul, secrets.Consul},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.asked(), err)
	}
	options := (&api.QueryOptions{Datacenter: s.Consul.Datacenter}).WithContext(ctx)
	hosts, meta, err := s.Consul.list(client, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", s.asked(), consulReason(err, secrets.Consul))
	}
	switch {
	case !meta.KnownLeader:
		return nil, fmt.Errorf("%s: it has no leader, its answer may be old", s.asked())
	case meta.ResultsFilteredByACLs:
		return nil, fmt.Errorf("%s: it left out what the token may not read: allow service:read and node:read", s.asked())
	}
	found := make([]Found, len(hosts))
	for i, host := range hosts {
		if found[i], err = s.make(or(s.Consul.InstanceScheme, "http"), host); err != nil {
			return nil, fmt.Errorf("%s has an instance at %.300q: %w", s.asked(), host, err)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no instance: %w", s.asked(), ErrEmpty)
	}
	return found, nil
}

// list gives host:port of every instance.
func (c Consul) list(client *api.Client, options *api.QueryOptions) ([]string, *api.QueryMeta, error) {
	var hosts []string
	if c.Passing {
		entries, meta, err := client.Health().ServiceMultipleTags(c.Service, c.Tags, true, options)
		for _, e := range entries {
			if e == nil || e.Service == nil || e.Node == nil {
				return nil, nil, errors.New("its answer has an entry without service or node")
			}
			hosts = append(hosts, net.JoinHostPort(or(e.Service.Address, e.Node.Address), strconv.Itoa(e.Service.Port)))
		}
		return hosts, meta, err
	}
	entries, meta, err := client.Catalog().ServiceMultipleTags(c.Service, c.Tags, options)
	for _, e := range entries {
		if e == nil {
			return nil, nil, errors.New("its answer has an empty entry")
		}
		hosts = append(hosts, net.JoinHostPort(or(e.ServiceAddress, e.Address), strconv.Itoa(e.ServicePort)))
	}
	return hosts, meta, err
}

func consulReason(err error, secret instance.Token) string {
	var status api.StatusError
	if !errors.As(err, &status) {
		return instance.Clean(err.Error(), maxText, secret)
	}
	text := fmt.Sprintf("it answered %d %s", status.Code, http.StatusText(status.Code))
	if status.Code == http.StatusForbidden || status.Code == http.StatusUnauthorized {
		text += " (a token with service:read and node:read is needed)"
	}
	return instance.Clean(text+": "+status.Body, maxText, secret)
}

// consulTransport sends what the source says and nothing else, and bounds what
// comes back.
type consulTransport struct {
	base   http.RoundTripper
	source Consul
	token  instance.Token
}

func (t *consulTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del(tokenHeader)
	r.Header.Del("Authorization")
	if !t.token.IsZero() {
		r.Header.Set(tokenHeader, t.token.Reveal())
	}
	query := r.URL.Query()
	query.Del("ns")
	query.Del("partition")
	if t.source.Namespace != "" {
		query.Set("ns", t.source.Namespace)
	}
	r.URL.RawQuery = query.Encode()
	response, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = &bounded{response.Body, maxCatalogue}
	return response, nil
}

// bounded ends a body that is too large with an error instead of its end.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d MiB", maxCatalogue>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
