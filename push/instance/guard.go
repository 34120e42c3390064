package instance

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// special are the ranges that are no public unicast, after the registries of
// special-purpose addresses (RFC 6890, IANA). Of IPv6 only 2000::/3 is unicast
// that the whole internet routes; what is special inside it stands here.
func special() []netip.Prefix {
	texts := []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
	ranges := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		ranges[i] = netip.MustParsePrefix(text)
	}
	return ranges
}

// guard decides which addresses may be called.
type guard struct {
	allow   []netip.Prefix
	special []netip.Prefix
	global  netip.Prefix // of IPv6
}

func newGuard(allow []netip.Prefix) *guard {
	g := &guard{special: special(), global: netip.MustParsePrefix("2000::/3")}
	for _, p := range allow {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		g.allow = append(g.allow, p.Masked())
	}
	return g
}

func (g *guard) permits(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return false
	}
	return contains(g.allow, addr) || (addr.Is4() || g.global.Contains(addr)) && !contains(g.special, addr)
}

func contains(ranges []netip.Prefix, addr netip.Addr) bool {
	for _, p := range ranges {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// control runs between the making of a socket and its connect, with the address
// that was resolved: a name cannot point elsewhere after it.
func (g *guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("an address that cannot be read: %w", err)
	}
	if !g.permits(to.Addr()) {
		return &addressError{to.Addr().Unmap()}
	}
	return nil
}

// addressError is the refusal of an address by the guard.
type addressError struct{ addr netip.Addr }

func (e *addressError) Error() string {
	return fmt.Sprintf("%s is no public address: list its range in instances.allow of every peer's configuration if it may be called", e.addr)
}
