package api

import (
	_ "embed"
	"net/http"
)

// openAPI is the description of this API. It is written by a test from the
// role table and the types of requests and answers: `go test ./api -run
// OpenAPI -update`; the same test fails where the two differ.
//
//go:embed openapi.json
var openAPI []byte

// operation is what the description says of a route.
type operation struct {
	summary string
	query   []string // parameters, each "name: what it is"
	headers []string // names of request headers with a meaning beyond the common ones
	request any      // a value of the type of the body; nil = none
	kinds   []string // media types of the body beside application/json
	answer  any      // likewise; nil = none
	status  int      // of success; 0 = 200
	media   string   // of the answer; "" = application/json
}

func (s *Server) getOpenAPI(c *call) error { return c.Blob(http.StatusOK, "application/json", openAPI) }
