package instance

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Answer is what an instance says of an update that it took.
type Answer struct {
	InstanceID string
	Version    string
	Timestamp  string
	Details    string
}

// Versions are the version hashes that an instance reports.
type Versions struct {
	ByType     map[string]string // by target; a type that is missing or null has no entry
	LastReload string
}

// Info is what an instance says of itself. What it leaves out or says in another
// shape is empty; the counts are -1 then.
type Info struct {
	InstanceID    string
	Hostname      string
	Version       string
	ConfigVersion string
	LastReload    string
	Uptime        time.Duration
	Webhooks      int
	Connections   int
}

// object is a JSON object as it was answered. encoding/json would match names
// without regard to case and take the last of two.
type object map[string]jsontext.Value

// parseObject is nil for anything but one JSON object with distinct names.
func parseObject(body []byte) object {
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		return nil
	}
	return o
}

// text is a member as text: a string's value, null and absent as nothing, any
// other value as its JSON.
func (o object) text(name string) string {
	value := o[name]
	switch value.Kind() {
	case '"':
		var s string
		if err := json.Unmarshal(value, &s); err != nil {
			return ""
		}
		return s
	case 'n', jsontext.KindInvalid:
		return ""
	}
	// Without needless escapes, which could hide a secret from redaction.
	plain := value.Clone()
	if err := plain.Canonicalize(); err != nil {
		return ""
	}
	return string(plain)
}

// inner is a member that is an object.
func (o object) inner(name string) object {
	if o[name].Kind() != '{' {
		return nil
	}
	return parseObject(o[name])
}

// number takes numbers, and strings that hold one.
func (o object) number(name string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(o.text(name)), 64)
	return n, err == nil && !math.IsNaN(n) && n >= 0
}

func (o object) count(name string) int {
	n, ok := o.number(name)
	if !ok || n > math.MaxInt32 {
		return -1
	}
	return int(n)
}

// seconds is a duration, with what cannot be one as nothing.
func (o object) seconds(name string) time.Duration {
	n, ok := o.number(name)
	if !ok || n > (math.MaxInt64/float64(time.Second))-1 {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// unwrap looks into the "detail" in which FastAPI puts what a handler raises.
func (o object) unwrap() object {
	if inner := o.inner("detail"); inner != nil && o["error"] == nil && o["status"] == nil {
		return inner
	}
	return o
}

// reason is what an answer says against a call.
func (o object) reason() (message, details string) {
	for _, name := range []string{"error", "message", "detail"} {
		message = o.text(name)
		if inner := o.inner(name); inner != nil && inner.text("message") != "" {
			message = inner.text("message")
		}
		if printable(message) != "" {
			break
		}
	}
	details = o.text("details")
	if log := o.inner("details").text("log_tail"); log != "" { // what a drover-agent that serves has of its command
		details = log
	}
	if printable(message) == "" {
		return details, ""
	}
	return message, details
}

func versionsOf(o object, secret Token) Versions {
	v := Versions{ByType: map[string]string{}, LastReload: Clean(o.text("last_reload"), maxField, secret)}
	for name := range o {
		target, ok := strings.CutSuffix(name, "_version")
		if text := Clean(o.text(name), maxField, secret); ok && target != "" && Clean(target, maxField, secret) == target && text != "" {
			v.ByType[target] = text
		}
	}
	return v
}

func infoOf(o object, secret Token) Info {
	text := func(name string) string { return Clean(o.text(name), maxField, secret) }
	return Info{
		InstanceID: text("instance_id"), Hostname: text("hostname"), Version: text("version"),
		ConfigVersion: text("config_version"), LastReload: text("last_reload"), Uptime: o.seconds("uptime_seconds"),
		Webhooks: o.count("webhooks_count"), Connections: o.count("connections_count"),
	}
}

// retryAfter reads RFC 9110, section 10.2.3: seconds or a date. A date is taken
// against the answer's own clock where it tells it.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxWait)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if theirs, err := http.ParseTime(header.Get("Date")); err == nil {
		now = theirs
	}
	return min(max(until.Sub(now), 0), maxWait)
}
