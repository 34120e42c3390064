package api

import (
	"net/http"
	"time"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/enroll"
)

// Bounds of enrolment tokens.
const (
	maxUses     = 100_000
	enrollFor   = time.Hour // where nothing else is asked for
	enrollAtMax = 30 * 24 * time.Hour
)

type enrollTokenRequest struct {
	Node    string            `json:"node,omitzero"`
	Labels  map[string]string `json:"labels,omitzero"`
	Uses    int               `json:"uses,omitzero"`
	Expires string            `json:"expires,omitzero"`
}

type enrollTokenAnswer struct {
	Token   string `json:"token"`
	Expires string `json:"expires"`
}

// createEnrollToken makes a token with which nodes register their keys. It is
// shown once.
func (s *Server) createEnrollToken(c *call) error {
	var in enrollTokenRequest
	if err := c.decodeIfAny(smallBody, &in); err != nil {
		return err
	}
	if err := s.onceOnly(c); err != nil {
		return err
	}
	if in.Uses == 0 {
		in.Uses = 1
	}
	if in.Uses < 0 || in.Uses > maxUses {
		return &Error{Code: codeInvalid, Pointer: "/uses", Detail: "uses is a number from 1 to 100000"}
	}
	if in.Node != "" && fsm.ValidNodeID(in.Node) != nil {
		return at(fsm.ValidNodeID(in.Node), "/node")
	}
	if err := selector.ValidLabels(in.Labels); err != nil {
		return at(err, "/labels")
	}
	expires, err := s.deadline(in.Expires, enrollFor, enrollAtMax)
	if err != nil {
		return err
	}
	secret, ref := credential.NewSecret(), credential.Ref{ID: credential.NewID()}
	res, err := s.propose(c, fsm.CreateEnrollToken{Token: fsm.EnrollToken{
		ID: ref.ID, Hash: secret.Hash(), Node: in.Node, Labels: in.Labels, Uses: in.Uses, Expires: expires.UnixMilli(),
	}})
	if err != nil {
		return err
	}
	if err := replayedSecret(res); err != nil {
		return err
	}
	ref.At = fsm.Position{Epoch: c.at.Epoch, Index: res.Index}
	return c.answer(http.StatusCreated, enrollTokenAnswer{credential.Enroll(ref, secret), timeText(expires.UnixMilli())})
}

// onceOnly refuses to repeat an answer that holds a secret: it is kept
// nowhere, so only the first answer could tell it.
func (s *Server) onceOnly(c *call) error {
	res, err := s.replayed(c)
	if err != nil {
		return err
	}
	return replayedSecret(deref(res))
}

func replayedSecret(res fsm.Result) error {
	if res.Outcome.Replayed {
		return failure(codeSecretGone, "an earlier request with this Idempotency-Key made it, and its answer alone held the secret. If that answer was lost, remove what it made and send a new request with a new key")
	}
	return nil
}

// enrollAgent registers the key of a node. It is the agent's own call, so all
// that it is judged by is its token and its proof.
func (s *Server) enrollAgent(c *call) error {
	if _, wait := s.limits.enrolls.reserve(addressKey(c.RealIP()), s.now()); wait > 0 {
		return tooFast(wait, "too many enrolments from this address")
	}
	body, err := c.read(smallBody)
	if err != nil {
		return err
	}
	if err := c.isJSON(nil); err != nil {
		return err
	}
	in, err := enroll.Read(body)
	if err != nil {
		return failure(codeMalformed, "%v", err)
	}
	ref, secret, err := credential.ParseEnroll(in.Token)
	if err != nil {
		return failure(fsm.CodeDenied, "the enrolment token is malformed; copy it whole")
	}
	if err := s.knownEnrollToken(c, ref, secret); err != nil {
		return err
	}
	res, err := s.proposeAs(c, fsm.Command{
		Actor: fsm.Actor{Name: in.Node, Kind: "node", Address: c.RealIP()},
		Body:  fsm.EnrollNode{TokenID: ref.ID, TokenHash: secret.Hash(), Node: in.Node, PublicKey: in.PublicKey},
	})
	if err != nil {
		return err
	}
	return s.answerEnroll(c, res.Outcome.ID)
}

// knownEnrollToken keeps what no token was made for from reaching the log. It
// waits where this peer does not know yet of a token that was just made.
func (s *Server) knownEnrollToken(c *call, ref credential.Ref, secret credential.Secret) error {
	known := func() bool {
		found := false
		s.view(c, func(st *fsm.State) {
			t := st.EnrollToken(ref.ID)
			found = t != nil && secret.Fits(t.Hash)
		})
		return found
	}
	if known() {
		return nil
	}
	if s.mayCome(ref.At) {
		if err := s.awaitCredential(c, ref.At); err != nil {
			return err
		}
		if known() {
			return nil
		}
	}
	s.note(c, fsm.Actor{Kind: "node", Address: c.RealIP()}, fsm.Note{Action: "node.enroll", Object: "token " + ref.ID, Outcome: fsm.CodeDenied})
	return failure(fsm.CodeDenied, "the enrolment token is not known; make a new one with `drover node enroll`")
}

func (s *Server) answerEnroll(c *call, node string) error {
	var (
		cluster string
		keys    [][]byte
		peers   []string
	)
	s.view(c, func(st *fsm.State) {
		cluster, keys = st.Cluster().ID, st.Cluster().SignKeys
		for _, p := range st.Peers() {
			if p.URL != "" {
				peers = append(peers, p.URL)
			}
		}
	})
	body, err := enroll.Answer(node, cluster, keys, notNil(peers))
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/json", append(body, '\n'))
}
