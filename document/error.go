package document

// The codes of an Error. They are part of the API: programs branch on them and
// they never change their meaning.
const (
	CodeNotJSON       = "not_json"       // no JSON text (RFC 8259), or not UTF-8
	CodeNotObject     = "not_object"     // JSON, but not an object at the top
	CodeDuplicateKey  = "duplicate_key"  // a name occurs twice in one object
	CodeTooDeep       = "too_deep"       // nested deeper than Limits.Depth
	CodeTooLarge      = "too_large"      // longer than Limits.Bytes, or a patch that does too much work
	CodeInexactNumber = "inexact_number" // no float64 has the decimal value of the literal as its shortest text
	CodeBadPatch      = "bad_patch"      // no RFC 6902 patch
	CodeBadPointer    = "bad_pointer"    // no RFC 6901 pointer
	CodeNoSuchPath    = "no_such_path"   // an operation names a place that is not there
	CodeTestFailed    = "test_failed"    // a test operation found another value
	CodeBadName       = "bad_name"       // no valid name or target
	CodeBadChecksum   = "bad_checksum"   // no text of a checksum
)

// Error says what is wrong with a text and where.
type Error struct {
	Code    string // one of the Code constants
	Pointer string // RFC 6901 pointer to the place; "" is the whole text
	Message string // for people; lower case, without the pointer
}

func (e *Error) Error() string {
	if e.Pointer == "" {
		return e.Message
	}
	return e.Pointer + ": " + e.Message
}

// Limits bounds a text. A field that is zero or less stands for its default.
type Limits struct {
	Bytes int // size of the text without white space; default 1 MiB
	Depth int // nesting; {} has depth 1, {"a":[]} depth 2; default 32
}

// DefaultLimits returns the limits that hold where nobody set others.
func DefaultLimits() Limits { return Limits{Bytes: 1 << 20, Depth: 32} }

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.Bytes > 0 {
		d.Bytes = l.Bytes
	}
	if l.Depth > 0 {
		d.Depth = l.Depth
	}
	return d
}
