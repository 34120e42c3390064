// The benchmark has a go.mod of its own, so that it adds nothing to Drover's.
module github.com/droverhq/drover/bench

go 1.26.0

require (
	github.com/droverhq/drover v0.0.0-00010101000000-000000000000
	github.com/gorilla/websocket v1.5.3
)

require github.com/go-json-experiment/json v0.0.0-20260820222146-c27c302e5fc3 // indirect

replace github.com/droverhq/drover => ../
