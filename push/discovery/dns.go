package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/droverhq/drover/push/instance"
)

// findDNS asks with Go's own resolver, which goes on to TCP where an answer was
// truncated. An answer that is missing a part counts as none (StrictErrors).
func (f *Finder) findDNS(ctx context.Context, s Source) ([]Found, error) {
	dialer, address := &net.Dialer{}, ""
	if s.DNS.Resolver != "" {
		var err error
		if address, err = s.DNS.resolver(); err != nil {
			return nil, fmt.Errorf("resolver: %w", err)
		}
		dialer = f.client.Dialer()
	}
	resolver := &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(_ context.Context, network, own string) (net.Conn, error) {
		// Under the context of the look: the resolver's own would let a question
		// wait on, for 5 s, when nobody waits for its answer any more.
		conn, err := dialer.DialContext(ctx, network, or(address, own))
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}}
	var hosts []string
	var err error
	if s.DNS.recordType() == TypeSRV {
		hosts, err = lookupSRV(ctx, resolver, s.DNS.Name)
	} else {
		hosts, err = lookupAddresses(ctx, resolver, s.DNS)
	}
	var failed *net.DNSError
	switch {
	case errors.As(err, &failed) && failed.IsNotFound:
		return nil, fmt.Errorf("%s does not exist or has no such record: %w", s.asked(), ErrEmpty)
	case errors.As(err, &failed):
		return nil, fmt.Errorf("%s: %s", s.asked(), instance.Clean(failed.Err, maxText))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", s.asked(), err)
	}
	found := make([]Found, len(hosts))
	for i, host := range hosts {
		if found[i], err = s.make(or(s.DNS.Scheme, "http"), host); err != nil {
			return nil, fmt.Errorf("%s gives %.300q: %w", s.asked(), host, err)
		}
	}
	return found, nil
}

func lookupAddresses(ctx context.Context, r *net.Resolver, d DNS) ([]string, error) {
	network := "ip4"
	if d.recordType() == TypeAAAA {
		network = "ip6"
	}
	addrs, err := r.LookupNetIP(ctx, network, d.Name)
	if err != nil {
		return nil, err
	}
	hosts := make([]string, len(addrs))
	for i, addr := range addrs {
		hosts[i] = net.JoinHostPort(addr.Unmap().String(), strconv.Itoa(d.Port))
	}
	return hosts, nil
}

func lookupSRV(ctx context.Context, r *net.Resolver, name string) ([]string, error) {
	// With an error there may be records, too: those that were valid. They are a part.
	_, records, err := r.LookupSRV(ctx, "", "", name)
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, record := range records {
		// "." as the target says that the service is not to be had here.
		if target := strings.TrimSuffix(record.Target, "."); target != "" {
			hosts = append(hosts, net.JoinHostPort(target, strconv.Itoa(int(record.Port))))
		}
	}
	return hosts, nil
}
