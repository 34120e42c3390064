package discovery

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what the DNS server of a test answers for a name and type.
type zone map[string]reply

type reply struct {
	records   []dnsmessage.ResourceBody
	rcode     dnsmessage.RCode
	truncated bool // over UDP: no records, and the flag that says so
	silent    bool // never answered
}

// nameServer serves a zone over UDP and TCP on one port of loopback.
type nameServer struct {
	zone    zone
	address string
	udp     net.PacketConn
	tcp     net.Listener
	streams atomic.Int32 // connections over TCP
	done    sync.WaitGroup
}

func serveZone(t *testing.T, z zone) *nameServer {
	t.Helper()
	s := &nameServer{zone: z}
	for attempt := 0; ; attempt++ {
		var err error
		if s.udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		s.address = s.udp.LocalAddr().String()
		if s.tcp, err = net.Listen("tcp", s.address); err == nil {
			break
		}
		// Somebody has the port of that number.
		s.udp.Close()
		if attempt == 20 {
			t.Fatal(err)
		}
	}
	s.done.Go(s.serveUDP)
	s.done.Go(s.serveTCP)
	t.Cleanup(func() {
		s.udp.Close()
		s.tcp.Close()
		s.done.Wait()
	})
	return s
}

func (s *nameServer) serveUDP() {
	packet := make([]byte, 64<<10)
	for {
		n, from, err := s.udp.ReadFrom(packet)
		if err != nil {
			return
		}
		if answer := s.answer(packet[:n], true); answer != nil {
			_, _ = s.udp.WriteTo(answer, from)
		}
	}
}

func (s *nameServer) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.streams.Add(1)
		s.done.Go(func() {
			defer conn.Close()
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, question); err != nil {
				return
			}
			if answer := s.answer(question, false); answer != nil {
				_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		})
	}
}

func (s *nameServer) answer(packet []byte, udp bool) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	r, known := s.zone[q.Name.String()+" "+q.Type.String()[len("Type"):]]
	if r.silent {
		return nil
	}
	if !known {
		r.rcode = dnsmessage.RCodeNameError
		for _, kind := range []string{"A", "AAAA", "SRV"} {
			if _, other := s.zone[q.Name.String()+" "+kind]; other {
				r.rcode = dnsmessage.RCodeSuccess
			}
		}
	}
	answer := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true, RecursionDesired: true, RecursionAvailable: true, RCode: r.rcode},
		Questions: m.Questions,
	}
	if r.truncated && udp {
		answer.Truncated = true
	} else {
		for _, body := range r.records {
			answer.Answers = append(answer.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET, TTL: 1}, Body: body,
			})
		}
	}
	packed, err := answer.Pack()
	if err != nil {
		return nil
	}
	return packed
}

func addresses(texts ...string) []dnsmessage.ResourceBody {
	var bodies []dnsmessage.ResourceBody
	for _, text := range texts {
		if addr := netip.MustParseAddr(text); addr.Is4() {
			bodies = append(bodies, &dnsmessage.AResource{A: addr.As4()})
		} else {
			bodies = append(bodies, &dnsmessage.AAAAResource{AAAA: addr.As16()})
		}
	}
	return bodies
}

func service(port uint16, target string) dnsmessage.ResourceBody {
	return &dnsmessage.SRVResource{Priority: 1, Weight: 1, Port: port, Target: dnsmessage.MustNewName(target)}
}
