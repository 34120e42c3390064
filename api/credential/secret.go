package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/droverhq/drover/fsm"
)

// Secret is 256 random bits as text. It does not print itself.
type Secret struct{ text string }

// NewSecret makes a secret.
func NewSecret() Secret {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails, see crypto/rand
	return Secret{base64.RawURLEncoding.EncodeToString(raw[:])}
}

// Hash is the SHA-256 of the text: what the state keeps.
func (s Secret) Hash() []byte {
	sum := sha256.Sum256([]byte(s.text))
	return sum[:]
}

// Fits compares with a stored hash in constant time.
func (s Secret) Fits(hash []byte) bool {
	return len(hash) == sha256.Size && subtle.ConstantTimeCompare(s.Hash(), hash) == 1
}

// String hides the secret, wherever it may be printed.
func (s Secret) String() string { return "[secret]" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return "[secret]" }

// NewID makes an id of 80 random bits, in lower case letters and digits.
func NewID() string { return strings.ToLower(rand.Text()[:16]) }

// Ref is the public part of a credential: its id, and the position at which
// it was made. The zero position means that it is not known.
type Ref struct {
	ID string
	At fsm.Position
}

// String is id, or id-epoch-index with both numbers in base 36.
func (r Ref) String() string {
	if r.At == (fsm.Position{}) {
		return r.ID
	}
	return r.ID + "-" + strconv.FormatUint(r.At.Epoch, 36) + "-" + strconv.FormatUint(r.At.Index, 36)
}

// ErrMalformed is a text that is none of this kind of credential.
var ErrMalformed = errors.New("the credential is malformed; copy it whole")

func parseRef(text string) (Ref, error) {
	part := strings.Split(text, "-")
	if !validID(part[0]) {
		return Ref{}, ErrMalformed
	}
	r := Ref{ID: part[0]}
	if len(part) == 1 {
		return r, nil
	}
	if len(part) != 3 {
		return Ref{}, ErrMalformed
	}
	var err error
	if r.At.Epoch, err = strconv.ParseUint(part[1], 36, 64); err != nil {
		return Ref{}, ErrMalformed
	}
	if r.At.Index, err = strconv.ParseUint(part[2], 36, 64); err != nil {
		return Ref{}, ErrMalformed
	}
	return r, nil
}

func validID(id string) bool {
	for i := 0; i < len(id); i++ {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return id != "" && len(id) <= 32
}

// form is how the parts of a credential are joined to one text.
type form struct{ prefix, separator string }

var (
	sessionForm = form{"", "."}
	tokenForm   = form{"drover_", "_"}
	enrollForm  = form{"droverenroll.", "."}
)

func (f form) join(r Ref, s Secret) string { return f.prefix + r.String() + f.separator + s.text }

func (f form) parse(text string) (Ref, Secret, error) {
	rest, found := strings.CutPrefix(text, f.prefix)
	if !found || len(text) > 200 {
		return Ref{}, Secret{}, ErrMalformed
	}
	ref, secret, found := strings.Cut(rest, f.separator)
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(secret); !found || err != nil || len(raw) != 32 {
		return Ref{}, Secret{}, ErrMalformed
	}
	r, err := parseRef(ref)
	return r, Secret{secret}, err
}

// Session is the value of a login session's cookie.
func Session(r Ref, s Secret) string { return sessionForm.join(r, s) }

// ParseSession reads what Session wrote.
func ParseSession(text string) (Ref, Secret, error) { return sessionForm.parse(text) }

// Token is the text of an API token: drover_<ref>_<secret>.
func Token(r Ref, s Secret) string { return tokenForm.join(r, s) }

// ParseToken reads what Token wrote.
func ParseToken(text string) (Ref, Secret, error) { return tokenForm.parse(text) }

// Enroll is the text of an enrolment token: droverenroll.<ref>.<secret>.
func Enroll(r Ref, s Secret) string { return enrollForm.join(r, s) }

// ParseEnroll reads what Enroll wrote; white space around it does not matter.
func ParseEnroll(text string) (Ref, Secret, error) { return enrollForm.parse(strings.TrimSpace(text)) }
