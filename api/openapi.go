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

func (s *Server) getOpenAPI(c *call) error { return c.Blob(http.StatusOK, "application/json", openAPI) }
