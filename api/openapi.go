package api

// operation is what the OpenAPI description says of a route.
type operation struct {
	summary string
}
