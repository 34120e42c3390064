package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
)

// maxWords bounds the texts beside the content: version and source.
const maxWords = 200

// push is what POST /admin/config-update brings.
type push struct {
	target  string
	content []byte // compact
	version string
	source  string
}

// body reads a request's body to its end. For a push the limit leaves room for
// white space and for what is around the content.
func (s *Server) body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, code: codeTooLarge,
			message: fmt.Sprintf("the request is larger than %d bytes", limit)}
	}
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, code: codeNotJSON, message: "the request could not be read to its end"}
	}
	// A hook may take longer than a request may. Not before the end of the body:
	// net/http reads on, to keep the connection, for as long as it is allowed.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return text, nil
}

// parse reads the body of a push and checks everything that can be told from
// it alone.
func (s *Server) parse(text []byte) (push, error) {
	// The content is one level down. What is around it counts as well, but for
	// the size, which is looked at below.
	around := document.Limits{Bytes: len(text) + 1, Depth: s.config.MaxDepth + 1}
	text, err := document.Compact(text, around)
	if err != nil {
		return push{}, refuseText(err, s.config.MaxDepth)
	}
	p := push{}
	words := map[string]*string{"type": &p.target, "version": &p.version, "source": &p.source}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if _, err := dec.ReadToken(); err != nil {
		return push{}, err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return push{}, err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return push{}, err
		}
		if key == "config" {
			p.content = bytes.Clone(value)
		}
		to := words[key]
		if to == nil || key != "type" && string(value) == "null" {
			continue
		}
		if err := json.Unmarshal(value, to); err != nil || len(*to) > maxWords {
			return push{}, &refusal{status: http.StatusBadRequest, code: codeBadRequest, pointer: "/" + key,
				message: fmt.Sprintf("%s is not a text of at most %d bytes", key, maxWords)}
		}
	}
	return p, s.check(p)
}

func (s *Server) check(p push) error {
	bad := func(pointer, message string) error {
		return &refusal{status: http.StatusBadRequest, code: codeBadRequest, pointer: pointer, message: message}
	}
	if p.target == "" {
		return bad("/type", "type is missing: the name of the configuration, such as webhooks")
	}
	if err := document.ValidName(p.target); err != nil {
		return bad("/type", err.Error())
	}
	if err := s.config.accepts(p.target); err != nil {
		return bad("/type", err.Error())
	}
	switch {
	case len(p.content) == 0:
		return bad("/config", "config is missing: the content, a JSON object")
	case !document.IsObject(p.content):
		return bad("/config", "config is not a JSON object")
	case string(p.content) == "{}":
		return bad("/config", "config is {}: an empty configuration would take everything away, and is most often a mistake; it is refused")
	case len(p.content) > s.config.MaxBytes:
		return &refusal{status: http.StatusRequestEntityTooLarge, code: codeTooLarge, pointer: "/config",
			message: fmt.Sprintf("config has %d bytes, %d are allowed", len(p.content), s.config.MaxBytes)}
	}
	return nil
}

func refuseText(err error, depth int) error {
	r := &refusal{status: http.StatusBadRequest, code: codeNotJSON, message: err.Error()}
	if text := (*document.Error)(nil); errors.As(err, &text) {
		r.code, r.pointer, r.message = text.Code, text.Pointer, text.Message
		if text.Code == document.CodeTooDeep {
			r.message = fmt.Sprintf("config is nested deeper than the limit of %d", depth)
		}
	}
	return r
}

// refusal is why a request was not done, with the status of its answer.
type refusal struct {
	status   int
	code     string
	pointer  string // into the body of the request
	message  string
	problems []problem // of a schema
	stage    string    // of the update; empty: before it
	tail     string    // what a hook said
	restored bool      // the previous content was put back
}

// problem is one thing that a schema found, with its place in the content.
type problem struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Codes of refusals: those of package document, and these, which mean what
// they mean on the channel.
const (
	codeNotJSON    = document.CodeNotJSON
	codeTooLarge   = document.CodeTooLarge
	codeBadRequest = "bad_request"
	codeSchema     = "schema_invalid"
	codeCheck      = "check_failed"
	codeHook       = "hook_failed"
	codeTimeout    = "hook_timeout"
	codeUnhealthy  = "unhealthy"
	codeBusy       = "busy"
	codeStopping   = "stopping"
	codeWrite      = "write_failed"
	codeDiskFull   = "disk_full"
)

func (r *refusal) Error() string {
	where := strings.TrimSpace(r.stage + " " + r.pointer)
	if where == "" {
		return r.message
	}
	return where + ": " + r.message
}
