package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/bench/proc"
	"github.com/droverhq/drover/wire"
)

// Kinds of clients.
const (
	KindFloor  = "floor"
	KindDrover = "drover"
)

// Setup is the first line to the process: who its clients are.
type Setup struct {
	Kind      string   `json:"kind"`
	Addresses []string `json:"addresses"` // URLs of the servers
	From      int      `json:"from"`      // numbers of the clients, From included, To not
	To        int      `json:"to"`
	Bytes     int      `json:"bytes"`  // of the floor's document
	CA        string   `json:"ca"`     // PEM, "" without TLS
	Dir       string   `json:"dir"`    // for the enrolment
	Prefix    string   `json:"prefix"` // of the nodes' names
}

// fleet is what the clients of a process share.
type fleet struct {
	setup     Setup
	trust     *tls.Config
	buffers   sync.Pool
	writes    sync.Pool // write buffers
	events    chan proc.Event
	reasons   reasons
	tracker   tracker
	known     library
	identity  identity
	first     []byte // the floor's document, before the first change
	connected atomic.Int64
	again     atomic.Int64
	wrong     atomic.Int64
}

// client is one of many.
type client interface {
	// run holds a connection until ctx ends, and makes it again when it is lost.
	// ready is called once, when the server has taken it in.
	run(ctx context.Context, ready func())
}

// Run does what the parent says until its commands end.
func Run(ctx context.Context, parent *proc.Parent) error {
	f := &fleet{events: make(chan proc.Event, 64)}
	if err := parent.Setup(&f.setup); err != nil {
		return err
	}
	files, err := proc.RaiseFiles()
	if err != nil {
		return err
	}
	if need := uint64(f.setup.To - f.setup.From + 64); files < need {
		return fmt.Errorf("%d clients need %d open files, and this process may have %d", f.setup.To-f.setup.From, need, files)
	}
	f.buffers.New = func() any { b := make([]byte, 0, 2048); return &b }
	f.tracker.all = f.setup.To - f.setup.From
	f.first = load.Document(f.setup.Bytes, load.Value(0))
	if f.setup.CA != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(f.setup.CA)) {
			return errors.New("the CA is no certificate in PEM")
		}
		f.trust = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		for {
			select {
			case e := <-f.events:
				_ = parent.Say(e) // without a parent there is nobody to tell
			case <-ctx.Done():
				return
			}
		}
	})
	for {
		c, err := parent.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.do(ctx, &group, c); err != nil {
			f.events <- proc.Event{Kind: c.Do, Error: err.Error()}
		}
	}
}

func (f *fleet) do(ctx context.Context, group *sync.WaitGroup, c proc.Command) error {
	switch c.Do {
	case "enroll":
		if len(c.Tokens) == 0 {
			return errors.New("to enroll needs a token")
		}
		n, err := f.enroll(ctx, c.Tokens)
		if err != nil {
			return err
		}
		f.events <- proc.Event{Kind: "enroll", Count: n}
	case "connect":
		return f.connect(ctx, group, c.Count)
	case "stats":
		f.wrong.Add(int64(f.known.checkSignatures(f.identity.pinned)))
		frame, answer := f.tracker.sizes()
		f.events <- proc.Event{
			Kind: "stats", Count: int(f.connected.Load()), Frame: frame, Answer: answer,
			Again: int(f.again.Load()), Wrong: int(f.wrong.Load()), Reasons: f.reasons.all(),
		}
	default:
		return fmt.Errorf("%q is no command", c.Do)
	}
	return nil
}

// connect starts all clients, atOnce of them calling at a time, and tells when
// the last is in.
func (f *fleet) connect(ctx context.Context, group *sync.WaitGroup, atOnce int) error {
	slots := make(chan struct{}, max(1, atOnce))
	var in atomic.Int64
	for i := f.setup.From; i < f.setup.To; i++ {
		c, err := f.client(i)
		if err != nil {
			return err
		}
		group.Go(func() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			c.run(ctx, func() {
				<-slots
				if n := int(in.Add(1)); n == f.setup.To-f.setup.From {
					f.events <- proc.Event{Kind: "connect", Count: n, Last: time.Now().UnixNano()}
				}
			})
		})
	}
	return nil
}

func (f *fleet) client(number int) (client, error) {
	if f.setup.Kind == KindFloor {
		return newListener(f, number), nil
	}
	return newNode(f, number)
}

// perSource is the number of clients that share a source address: the clients
// of a real fleet come from many, and servers limit what one may do.
const perSource = 400

func source(number int) net.Addr {
	g := number / perSource
	return &net.TCPAddr{IP: net.IPv4(127, 1, byte(g/250), byte(1+g%250))}
}

// dialTime bounds a call until the connection is a WebSocket.
const dialTime = 20 * time.Second

func (f *fleet) dial(ctx context.Context, number int, address string) (*websocket.Conn, error) {
	d := websocket.Dialer{
		NetDialContext:   (&net.Dialer{LocalAddr: source(number), Timeout: dialTime, KeepAlive: -1}).DialContext,
		TLSClientConfig:  f.trust,
		HandshakeTimeout: dialTime, ReadBufferSize: 1024, WriteBufferSize: 512, WriteBufferPool: &f.writes,
	}
	address = strings.Replace(address, "http", "ws", 1)
	if f.setup.Kind == KindDrover {
		d.Subprotocols = []string{wire.Subprotocol}
		address += "/agent/v1/connect"
	}
	ws, answer, err := d.DialContext(ctx, address, nil)
	if err != nil && answer != nil {
		return nil, fmt.Errorf("%w: %s", err, answer.Status)
	}
	return ws, err
}

// read reads one frame into a buffer that all clients share, and has it used.
func (f *fleet) read(ws *websocket.Conn, use func(frame []byte) error) error {
	_, r, err := ws.NextReader()
	if err != nil {
		return err
	}
	buffer := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buffer)
	data := (*buffer)[:0]
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			*buffer = data
			return use(data)
		}
		if err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// httpClient calls from the source address of a client.
func (f *fleet) httpClient(number int) *http.Client {
	return &http.Client{Timeout: dialTime, Transport: &http.Transport{
		DialContext:     (&net.Dialer{LocalAddr: source(number), Timeout: dialTime}).DialContext,
		TLSClientConfig: f.trust, MaxIdleConnsPerHost: enrollAtOnce,
	}}
}
