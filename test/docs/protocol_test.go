package docs

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// page is docs/protocol.md: its text and the JSON blocks of its example, in order.
type page struct {
	text   string
	blocks []string
}

func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	p := page{text: string(text)}
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllStringSubmatch(p.text, -1) {
		p.blocks = append(p.blocks, m[1])
	}
	return p
}

// frame returns the nth block of a type; fields come as a map, as any implementation would read them.
func (p page) frame(t *testing.T, kind string, nth int) map[string]any {
	t.Helper()
	for _, block := range p.blocks {
		fields := parse(t, block)
		if fields["type"] != kind {
			continue
		}
		if nth == 0 {
			return fields
		}
		nth--
	}
	t.Fatalf("the page shows no such %s", kind)
	return nil
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return fields
}

// key makes the private key with the seed from, from+1, … that the page names.
func key(from byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = from + byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func public(k ed25519.PrivateKey) string {
	return base64.RawURLEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
}

// signed checks a signature as section 1 of the page describes it.
func signed(t *testing.T, by ed25519.PrivateKey, signature any, parts ...string) {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(signature.(string))
	if err != nil {
		t.Fatal(err)
	}
	text := "drover.v1\x00" + strings.Join(parts, "\n")
	if !ed25519.Verify(by.Public().(ed25519.PublicKey), []byte(text), raw) {
		t.Errorf("the signature over %q does not hold", parts)
	}
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func checksum(t *testing.T, content []byte) string {
	t.Helper()
	canonical, err := document.Canonical(content)
	if err != nil {
		t.Fatal(err)
	}
	return hash(string(canonical))
}

func TestTheFramesOfThePageAreOurs(t *testing.T) {
	kinds := map[string]bool{}
	for _, block := range readPage(t).blocks {
		fields := parse(t, block)
		if fields["type"] == nil {
			continue // the body of the enrolment
		}
		kinds[fields["type"].(string)] = true
		message, err := wire.Decode([]byte(block))
		if err != nil {
			t.Errorf("%v: %s", err, block)
			continue
		}
		if got, err := wire.Encode(message); err != nil || string(got) != block {
			t.Errorf("encodes to\n%s (%v), the page has\n%s", got, err, block)
		}
	}
	if len(kinds) < 9 {
		t.Errorf("the page shows only %d kinds of frames", len(kinds))
	}
}

func TestTheExampleCanBeFollowed(t *testing.T) {
	p := readPage(t)
	node, cluster := key(0), key(32)
	for _, want := range []string{public(node), public(cluster)} {
		if !strings.Contains(p.text, want) {
			t.Errorf("the page lacks the public key %s", want)
		}
	}
	enroll := parse(t, p.blocks[0])
	signed(t, node, enroll["proof"], "enroll", enroll["token"].(string), enroll["node"].(string), public(node))

	challenge, hello, welcome := p.frame(t, "challenge", 0), p.frame(t, "hello", 0), p.frame(t, "welcome", 0)
	id, name, audience := challenge["cluster"].(string), hello["node"].(string), welcome["audience"].(string)
	signed(t, node, hello["proof"], "hello", id, name, challenge["nonce"].(string))
	signed(t, cluster, welcome["signature"], "welcome", id, name, challenge["nonce"].(string), hello["nonce"].(string), audience)
	if hello["manifest"] != hash("[]") {
		t.Error("the empty manifest is another one")
	}

	first, second := p.frame(t, "config_update", 0), p.frame(t, "config_update", 1)
	content := compact(t, first["documents"].([]any)[0].(map[string]any)["content"])
	manifest := manifestOf("routing/core", checksum(t, content))
	follow(t, p, first, audience, hash("[]"), manifest)
	if got := p.frame(t, "config_ack", 0)["manifest"]; got != manifest {
		t.Errorf("the ack reports %v, the node holds %s", got, manifest)
	}

	delta := second["documents"].([]any)[0].(map[string]any)
	if delta["base"] != checksum(t, content) {
		t.Error("the delta starts from another content")
	}
	changed, err := document.Apply(content, compact(t, delta["patch"]), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.text, "`"+string(changed)+"`") {
		t.Errorf("the page does not show the result %s", changed)
	}
	follow(t, p, second, audience, manifest, manifestOf("routing/core", checksum(t, changed)))
	for _, sum := range []string{checksum(t, content), checksum(t, changed)} {
		if !strings.Contains(p.text, "`"+sum+"`") {
			t.Errorf("the page does not show the checksum %s", sum)
		}
	}
	if refused := p.frame(t, "config_error", 0); refused["manifest"] != manifest {
		t.Error("after the refusal the node runs something else than before")
	}
	if status := p.frame(t, "status", 0); status["manifest"] != manifest || status["have"].(map[string]any)["routing/core"] != checksum(t, content) {
		t.Error("the status tells something else than what the node holds")
	}
}

// follow checks the header of an update: who signed it, for whom, from where and to where.
func follow(t *testing.T, p page, update map[string]any, audience, base, manifest string) {
	t.Helper()
	text := update["header"].(string)
	signed(t, key(32), update["signature"], text)
	header := parse(t, text)
	want := map[string]any{"purpose": "update", "cluster": p.frame(t, "challenge", 0)["cluster"], "audience": audience, "base": base, "manifest": manifest}
	for field, value := range want {
		if header[field] != value {
			t.Errorf("the header of %v has the %s %v, want %v", update["update"], field, header[field], value)
		}
	}
}

func manifestOf(target, checksum string) string {
	return hash(`[["` + target + `","` + checksum + `"]]`)
}

func compact(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheCloseCodesOfThePageAreOurs(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| (40\d\d) \|.*\| (\d+) (s|min) \|$`).FindAllStringSubmatch(readPage(t).text, -1)
	shown := map[int]time.Duration{}
	for _, row := range rows {
		unit := map[string]time.Duration{"s": time.Second, "min": time.Minute}[row[3]]
		code, _ := strconv.Atoi(row[1])
		n, _ := strconv.Atoi(row[2])
		shown[code] = time.Duration(n) * unit
	}
	for code := wire.CloseProtocol; code <= wire.CloseNotReady; code++ {
		if got, want := shown[code], wire.RetryAfter(code); got != want {
			t.Errorf("close code %d: the page says %v, the program %v", code, got, want)
		}
	}
}

// Every word that travels (stages, codes, reasons) is a constant in wire/codes.go.
func TestThePageKnowsEveryWord(t *testing.T) {
	source, err := os.ReadFile("../../wire/codes.go")
	if err != nil {
		t.Fatal(err)
	}
	words := regexp.MustCompile(`= +"(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(words) < 20 {
		t.Fatalf("only %d words found in wire/codes.go", len(words))
	}
	text := readPage(t).text
	for _, word := range words {
		if !strings.Contains(text, "`"+word[1]+"`") {
			t.Errorf("the page does not say what %q means", word[1])
		}
	}
}
