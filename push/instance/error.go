package instance

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Code is what went wrong, in one word that stays.
type Code string

// Codes. Only CodeRefused speaks about the content that was sent; all others
// are about the way there or the state of the instance, and say nothing against
// the document.
const (
	CodeRefused      Code = "refused"             // the instance does not take the content: 400, 422, or a status other than success
	CodeBusy         Code = "busy"                // a reload is in progress: the same call may succeed in a moment
	CodeUnauthorized Code = "unauthorized"        // 401 and 403: the token is wrong
	CodeRedirected   Code = "redirected"          // 3xx: not followed
	CodeUnreachable  Code = "unreachable"         // name, connection or TLS
	CodeNotAllowed   Code = "address_not_allowed" // the name leads to an address that Rules do not allow
	CodeTimeout      Code = "timeout"             // no answer in time: the instance may have taken the content
	CodeServerError  Code = "server_error"        // 5xx
	CodeTooLarge     Code = "too_large"           // 413: the instance's limit is below the size of the document
	CodeThrottled    Code = "throttled"           // 408 and 429
	CodeBadAnswer    Code = "bad_answer"          // not an answer of these endpoints: no JSON, too large, another status
	CodeBadSettings  Code = "bad_settings"        // URL, token or TLS settings of the target: nothing was sent
)

const (
	maxMessage = 500       // bytes of an error's message and of its details
	maxField   = 256       // bytes of a field of an answer
	maxWait    = time.Hour // of Retry-After
)

// Error is a call that did not succeed. Its texts are at most 500 bytes each,
// hold no control characters and not the token, whatever the instance sent.
type Error struct {
	Code       Code
	Status     int           // HTTP, 0 without an answer
	Message    string        // for people; for CodeRefused the instance's own reason
	Details    string        // what the instance added, if anything
	RetryAfter time.Duration // what the instance asked for, 0 to 1 h
	Retryable  bool          // the same call may succeed later
	Busy       bool          // CodeBusy: it does not count against the content nor the instance
	Sent       bool          // CodeUnreachable: the whole request had been written before
}

func (e *Error) Error() string {
	if e.Details == "" || e.Details == e.Message {
		return e.Message
	}
	return e.Message + ": " + e.Details
}

// Clean makes a foreign text fit for a log, a terminal and a page: one line of
// printable characters, without the secrets, at most limit bytes. The secrets go last
// before the cut, since dropping a character could put one together.
func Clean(text string, limit int, secrets ...Token) string {
	text = printable(text)
	for _, secret := range secrets {
		if s := secret.Reveal(); s != "" {
			text = strings.ReplaceAll(text, s, "["+redacted+"]")
			text = strings.ReplaceAll(text, quoted(s), "["+redacted+"]")
		}
	}
	if len(text) <= limit {
		return text
	}
	const more = "…"
	end := limit - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// quoted is a text as it stands inside a JSON string.
func quoted(text string) string {
	q, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		return text
	}
	return string(q[1 : len(q)-1])
}

func printable(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text))
}
