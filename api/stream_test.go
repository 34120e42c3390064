package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A recorder that does not take what is written stands for a client that does
// not read.
type stuck struct {
	http.ResponseWriter
	wrote chan struct{}
}

func (s *stuck) Write([]byte) (int, error) {
	s.wrote <- struct{}{}
	return 0, http.ErrHandlerTimeout
}

func (s *stuck) Flush() {}

func TestAClientThatTakesNothingIsDropped(t *testing.T) {
	w := newWorld(t)
	out := &stuck{httptest.NewRecorder(), make(chan struct{}, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.server.Handler().ServeHTTP(out, w.build(request{method: "GET", path: eventsPath}))
	}()
	<-out.wrote
	<-ended
	if n := w.server.streams.count(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestHEADOfAStreamDoesNotHang(t *testing.T) {
	w := newWorld(t)
	if rec := w.do(request{method: "HEAD", path: eventsPath}); rec.Code != 405 {
		t.Errorf("HEAD: %d", rec.Code)
	}
}

// A snapshot that this peer receives tells no events: who follows it has to
// read everything anew.
func TestAStreamAcrossASnapshotHasAGap(t *testing.T) {
	w := newWorld(t)
	srv := w.listening()
	c := w.listen(srv.URL, w.tokens["viewer"], "")
	c.block()
	var saved bytes.Buffer
	w.put("a", `{"content":{}}`)
	if _, err := w.store.Snapshot().WriteTo(&saved); err != nil {
		t.Fatal(err)
	}
	c.until("revision")
	w.put("b", `{"content":{}}`)
	c.until("revision")
	if err := w.store.Restore(&saved); err != nil {
		t.Fatal(err)
	}
	if e := c.until("gap"); e.id == "" || e.data["index"] != float64(w.store.Index()) {
		t.Errorf("got %+v", e)
	}
}
