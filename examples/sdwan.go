package examples

import (
	"embed"
	"io/fs"
)

//go:embed sdwan
var files embed.FS

// SDWAN is the directory sdwan.
func SDWAN() fs.FS {
	sub, err := fs.Sub(files, "sdwan")
	if err != nil { // only for an invalid path, and this one is a constant
		panic(err)
	}
	return sub
}
