package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/droverhq/drover/fsm"
)

// maxKey is the longest Idempotency-Key in bytes.
const maxKey = 255

// onceOf reads the Idempotency-Key: with the hash of method, path and body it
// tells a repeated request from another one.
func (c *call) onceOf(body []byte) (fsm.Once, error) {
	r := c.Request()
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return fsm.Once{}, nil
	}
	if len(key) > maxKey || strings.ContainsFunc(key, func(c rune) bool { return c < ' ' || c > '~' }) {
		return fsm.Once{}, failure(codeBadRequest, "the Idempotency-Key must have 1 to %d printable ASCII characters", maxKey)
	}
	h := sha256.New()
	h.Write([]byte(r.Method + "\x00" + r.URL.EscapedPath() + "\x00"))
	h.Write(body)
	return fsm.Once{Key: key, Hash: h.Sum(nil)}, nil
}

// replayed finds what an earlier request with the same key did; nil where
// there was none. It is asked before anything else is judged by the state, for
// the state is by then what that request made of it.
func (s *Server) replayed(c *call) (*fsm.Result, error) {
	if c.once.Key == "" {
		return nil, nil
	}
	var (
		res *fsm.Result
		err error
	)
	s.view(c, func(st *fsm.State) { res, err = st.Replay(fsm.Command{Actor: c.actor(), Once: c.once}) })
	return res, err
}

// propose commits a command of the caller. The result is in this peer's state
// when it returns.
func (s *Server) propose(c *call, body fsm.Body) (fsm.Result, error) {
	return s.proposeAs(c, fsm.Command{Actor: c.actor(), Once: c.once, Body: body})
}

// proposeAs stamps a command and commits it. A command's id holds the request
// id, but is another for each: two commands of one id are applied once.
func (s *Server) proposeAs(c *call, cmd fsm.Command) (fsm.Result, error) {
	ctx, cancel := context.WithTimeout(c.ctx(), s.config.WriteTimeout)
	defer cancel()
	cmd.ID = c.id + "." + rand.Text()[:10]
	cmd.Time = s.now().UnixMilli()
	res, err := s.deps.Proposer.Propose(ctx, cmd)
	if err == nil {
		err = res.Err
	}
	c.at = s.position()
	return res, err
}

// storeContent brings a content that is too large to travel inside its commit
// into the replicated state, part by part.
func (s *Server) storeContent(c *call, sum fsm.Sum, blob *fsm.Blob) error {
	for offset := 0; offset < len(blob.Data); offset += fsm.BlobPart {
		end := min(offset+fsm.BlobPart, len(blob.Data))
		_, err := s.proposeAs(c, fsm.Command{Actor: c.actor(), Body: fsm.StoreBlob{
			Sum: sum, Size: blob.Size, Total: len(blob.Data), Offset: offset, Data: blob.Data[offset:end],
		}})
		if err != nil {
			return err
		}
	}
	return nil
}
