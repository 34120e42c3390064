package instance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	experimental "github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
)

func TestATokenNeverPrints(t *testing.T) {
	token := NewToken(canary)
	type holder struct {
		Target Target
		hidden Token
		inner  any
	}
	h := holder{Target{Token: token, TLS: TLS{Key: token}}, token, &token}
	var texts []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %p", "%c"} {
		for _, value := range []any{token, &token, h, &h, []any{token, h}, map[string]Token{"a": token}} {
			texts = append(texts, fmt.Sprintf(verb, value))
		}
	}
	texts = append(texts, fmt.Sprint(token), fmt.Sprintln(h), fmt.Errorf("a: %v", h).Error(), h.hidden.String())
	for _, marshal := range []func(any) ([]byte, error){
		json.Marshal, yaml.Marshal, func(v any) ([]byte, error) { return experimental.Marshal(v) },
	} {
		text, err := marshal(h.Target)
		if err != nil || !bytes.Contains(text, []byte(redacted)) {
			t.Errorf("%s, %v", text, err)
		}
		texts = append(texts, string(text))
	}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("call", "token", token, "target", h.Target, "holder", h)
	}
	hexed := fmt.Sprintf("%x", canary)
	for _, text := range append(texts, log.String()) {
		if strings.Contains(text, canary) || strings.Contains(strings.ToLower(text), hexed) {
			t.Errorf("shows the token: %s", text)
		}
	}
	if token.Reveal() != canary || !NewToken("").IsZero() || token.IsZero() {
		t.Error("the token is lost")
	}
}
