package api

import (
	"container/list"
	"sync"

	"github.com/droverhq/drover/document/schema"
)

// schemaCacheEntries bounds the cache: as many documents with a schema can be
// written in turn before one is compiled again.
const schemaCacheEntries = 256

// schemaCache keeps the schemas last used, compiled, by their text.
type schemaCache struct {
	mu     sync.Mutex
	byText map[string]*list.Element
	used   *list.List // of *compiledSchema, the latest first
}

type compiledSchema struct {
	text   string
	schema *schema.Schema
}

func newSchemaCache() *schemaCache {
	return &schemaCache{byText: map[string]*list.Element{}, used: list.New()}
}

func (k *schemaCache) compile(text string) (*schema.Schema, error) {
	k.mu.Lock()
	if e := k.byText[text]; e != nil {
		k.used.MoveToFront(e)
		k.mu.Unlock()
		return e.Value.(*compiledSchema).schema, nil
	}
	k.mu.Unlock()
	compiled, err := schema.Compile([]byte(text)) // off the lock: it takes time
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byText[text] == nil {
		k.byText[text] = k.used.PushFront(&compiledSchema{text, compiled})
	}
	if k.used.Len() > schemaCacheEntries {
		oldest := k.used.Back()
		k.used.Remove(oldest)
		delete(k.byText, oldest.Value.(*compiledSchema).text)
	}
	return compiled, nil
}
