package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/droverhq/drover/fsm"
)

// metrics of this peer, in a registry of their own.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	handler  http.Handler
}

func newMetrics(s *Server) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drover_http_requests_total", Help: "Requests by route, method and status code.",
		}, []string{"route", "method", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "drover_http_request_duration_seconds", Help: "How long requests took, event streams left out, by route and method.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method"}),
	}
	r := prometheus.NewRegistry()
	own := []prometheus.Collector{
		m.requests, m.duration, newStateCollector(s),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, c := range append(own, s.deps.Collectors...) {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	return m, nil
}

// request counts an answered request. The route is the pattern of the role
// table, never a path, so that the labels are few.
func (m *metrics) request(r *route, status int, took time.Duration) {
	path, method := "other", "other"
	if r != nil {
		path, method = r.path, r.method
	}
	m.requests.WithLabelValues(path, method, strconv.Itoa(status)).Inc()
	if path != eventsPath && status != http.StatusSwitchingProtocols {
		m.duration.WithLabelValues(path, method).Observe(took.Seconds())
	}
}

// stateCollector tells of the state when it is asked.
type stateCollector struct {
	server                                        *Server
	index, epoch, revision, leader, lost, streams *prometheus.Desc
	nodes, pushes, sessions, documents            *prometheus.Desc
}

func newStateCollector(s *Server) *stateCollector {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("drover_"+name, help, labels, nil)
	}
	return &stateCollector{
		server:    s,
		index:     gauge("fsm_index", "Raft index of the last command that this peer has applied."),
		epoch:     gauge("fsm_epoch", "Epoch of the cluster."),
		revision:  gauge("revision", "Number of the newest revision."),
		leader:    gauge("leader", "1 on the leader, 0 elsewhere."),
		lost:      gauge("no_leader_seconds", "How long no leader is known; 0 while there is one."),
		streams:   gauge("event_streams", "Open event streams of this peer."),
		nodes:     gauge("nodes", "Nodes by status.", "status"),
		pushes:    gauge("pushes", "Pushes that retention keeps, by state.", "state"),
		sessions:  gauge("node_sessions", "Connected nodes by peer.", "peer"),
		documents: gauge("documents", "Documents that are not deleted."),
	}
}

// Describe implements prometheus.Collector.
func (k *stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{k.index, k.epoch, k.revision, k.leader, k.lost, k.streams, k.nodes, k.pushes, k.sessions, k.documents} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (k *stateCollector) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	v := k.census()
	send(k.index, float64(v.at.Index))
	send(k.epoch, float64(v.at.Epoch))
	send(k.revision, float64(v.revision))
	send(k.documents, float64(v.documents))
	for status, n := range v.nodes {
		send(k.nodes, float64(n), string(status))
	}
	for state, n := range v.pushes {
		send(k.pushes, float64(n), state)
	}
	for peer, n := range v.sessions {
		send(k.sessions, float64(n), peer)
	}
	send(k.streams, float64(k.server.streams.count()))
	standing, leads, lost := k.server.deps.Control.Standing(), 0.0, 0.0
	switch standing.Leader {
	case "":
		lost = k.server.now().Sub(standing.Since).Seconds()
	case standing.Self:
		leads = 1
	}
	send(k.leader, leads)
	send(k.lost, lost)
}

// census is what one look at the state counts.
type census struct {
	at        fsm.Position
	revision  uint64
	documents int
	nodes     map[fsm.Status]int
	pushes    map[string]int
	sessions  map[string]int
}

func (k *stateCollector) census() census {
	v := census{
		nodes:    map[fsm.Status]int{fsm.Acked: 0, fsm.InFlight: 0, fsm.Pending: 0, fsm.Retrying: 0, fsm.Reverted: 0, fsm.DeadLetter: 0, fsm.Offline: 0},
		pushes:   map[string]int{fsm.PushRunning: 0, fsm.PushDone: 0, fsm.PushFailures: 0, fsm.PushSuperseded: 0},
		sessions: map[string]int{},
	}
	k.server.deps.Store.View(func(st *fsm.State) {
		v.at, v.revision = st.Position(), st.LastRevision()
		for _, d := range st.Documents() {
			if !d.Deleted {
				v.documents++
			}
		}
		for _, p := range st.Peers() {
			v.sessions[p.Name] = 0
		}
		for n := range st.Nodes {
			v.nodes[st.Status(n.Ordinal)]++
			if name := peerName(st, st.Row(n.Ordinal)); name != "" {
				v.sessions[name]++
			}
		}
		for _, p := range st.Pushes() {
			v.pushes[p.State]++
		}
	})
	return v
}
