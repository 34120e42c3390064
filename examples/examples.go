package examples

import (
	"embed"
	"io/fs"
)

//go:embed sdwan webhooks
var files embed.FS

// SDWAN is the directory sdwan: documents for agents.
func SDWAN() fs.FS { return sub("sdwan") }

// Webhooks is the directory webhooks: documents for instances.
func Webhooks() fs.FS { return sub("webhooks") }

func sub(dir string) fs.FS {
	found, err := fs.Sub(files, dir)
	if err != nil { // only for an invalid path, and these are constants
		panic(err)
	}
	return found
}
