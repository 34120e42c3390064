package instance

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
)

const redacted = "redacted"

// maxToken bounds a token, in bytes: what common servers take in one header.
const maxToken = 4096

// Token is a secret that cannot print itself: not through fmt, slog, JSON or
// YAML, and not as an unexported field of something that is printed either. The
// zero Token is none.
type Token struct {
	// A pointer, because fmt prints the fields of a struct without asking them.
	text *string
}

// NewToken wraps the text of a secret. The empty text is no token.
func NewToken(text string) Token {
	if text == "" {
		return Token{}
	}
	return Token{&text}
}

// ValidToken says whether a text can be sent as a bearer token: visible ASCII
// (RFC 9110, section 5.5), no more than 4096 bytes.
func ValidToken(text string) error {
	if len(text) > maxToken {
		return fmt.Errorf("the token is longer than %d bytes", maxToken)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return errors.New("the token has a character that no header can carry: use visible ASCII without spaces")
		}
	}
	return nil
}

// Reveal is the only way to the text: for the header that carries it.
func (t Token) Reveal() string {
	if t.text == nil {
		return ""
	}
	return *t.text
}

func (t Token) sum() [sha256.Size]byte { return sha256.Sum256([]byte(t.Reveal())) }

// IsZero says whether there is no token.
func (t Token) IsZero() bool { return t.text == nil }

// String gives "redacted".
func (Token) String() string { return redacted }

// GoString hides the token from %#v.
func (Token) GoString() string { return redacted }

// Format hides the token from every verb, those that do not fit a string too.
func (Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the token from slog.
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON gives "redacted".
func (Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText gives "redacted": what YAML and CBOR ask for.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
