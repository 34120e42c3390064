package instance

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAnswersOfAnUpdate(t *testing.T) {
	const plain, page, data = "text/plain; charset=utf-8", "text/html", "application/json"
	huge := `{"status":"success","details":"` + strings.Repeat("x", maxBody) + `"}`
	for _, c := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   Error
	}{
		{"refused in 400", 400, data, `{"status":"error","error":"unknown module \"x\"","details":{"line":3}}`,
			Error{Code: CodeRefused, Message: `unknown module "x"`, Details: `{"line":3}`}},
		{"refused in 200", 200, data, `{"status":"error","error":"no","details":"why"}`, Error{Code: CodeRefused, Message: "no", Details: "why"}},
		{"refused by FastAPI's handler", 400, data, `{"detail":{"status":"error","error":"no"}}`, Error{Code: CodeRefused, Message: "no"}},
		{"refused by FastAPI's exception", 400, data, `{"detail":"no such type"}`, Error{Code: CodeRefused, Message: "no such type"}},
		{"refused by FastAPI's model", 422, data, `{"detail":[{"loc":["body"]}]}`, Error{Code: CodeRefused, Message: `[{"loc":["body"]}]`}},
		{"refused with an object", 400, data, `{"error":{"code":5,"message":"no"}}`, Error{Code: CodeRefused, Message: "no"}},
		{"refused with details alone", 400, data, `{"error":"","details":"only here"}`, Error{Code: CodeRefused, Message: "only here"}},
		{"refused without a reason", 400, data, `{}`, Error{Code: CodeRefused, Message: "the service refused the content and gave no reason"}},
		{"400 of a proxy", 400, page, `<h1>The plain HTTP request was sent to HTTPS port</h1>`,
			Error{Code: CodeBadAnswer, Retryable: true, Message: "the service answered 400 Bad Request"}},
		{"400 of uvicorn", 400, plain, `Invalid HTTP request received.`,
			Error{Code: CodeBadAnswer, Retryable: true, Message: "the service answered 400 Bad Request: Invalid HTTP request received."}},
		{"busy in 400", 400, data, `{"status":"error","error":"Reload already in progress"}`,
			Error{Code: CodeBusy, Busy: true, Retryable: true, Message: "Reload already in progress"}},
		{"busy in capitals", 503, data, `{"error":"failed","details":"RELOAD ALREADY IN PROGRESS."}`,
			Error{Code: CodeBusy, Busy: true, Retryable: true, Message: "failed", Details: "RELOAD ALREADY IN PROGRESS."}},
		{"busy in 409", 409, data, `{"detail":"reload already in progress"}`,
			Error{Code: CodeBusy, Busy: true, Retryable: true, Message: "reload already in progress"}},
		{"another conflict", 409, data, `{"error":"locked"}`, Error{Code: CodeBadAnswer, Retryable: true, Message: "the service answered 409 Conflict: locked"}},
		{"unauthorized", 401, data, `{"detail":"Invalid token"}`,
			Error{Code: CodeUnauthorized, Message: "the service does not accept the token (401 Unauthorized: Invalid token): set the one that it expects"}},
		{"forbidden, whatever it says", 403, data, `{"error":"reload already in progress"}`,
			Error{Code: CodeUnauthorized, Message: "the service does not accept the token (403 Forbidden: reload already in progress): set the one that it expects"}},
		{"not found", 404, page, `<html>`, Error{Code: CodeBadAnswer, Retryable: true, Message: "the service answered 404 Not Found"}},
		{"too large", 413, data, `{"error":"limit 1 KiB"}`,
			Error{Code: CodeTooLarge, Message: "the document is larger than the service takes (413 Request Entity Too Large: limit 1 KiB)"}},
		{"throttled", 429, data, `{"error":"slow down"}`, Error{Code: CodeThrottled, Retryable: true, Message: "the service answered 429 Too Many Requests: slow down"}},
		{"408", 408, "", "", Error{Code: CodeThrottled, Retryable: true, Message: "the service answered 408 Request Timeout"}},
		{"500 with a reason", 500, data, `{"status":"error","error":"disk full"}`,
			Error{Code: CodeServerError, Retryable: true, Message: "the service answered 500 Internal Server Error: disk full"}},
		{"502 with a page", 502, page, "<h1>Bad gateway</h1>", Error{Code: CodeServerError, Retryable: true, Message: "the service answered 502 Bad Gateway"}},
		{"an unknown status", 599, "", "", Error{Code: CodeServerError, Retryable: true, Message: "the service answered 599"}},
		{"200 without status", 200, data, `{"ok":true}`,
			Error{Code: CodeBadAnswer, Retryable: true, Message: `the answer does not say "status": "success": {"ok":true}`}},
		{"names are exact", 200, data, `{"Status":"success"}`,
			Error{Code: CodeBadAnswer, Retryable: true, Message: `the answer does not say "status": "success": {"Status":"success"}`}},
		{"200 and a page", 200, page, `<html>login`, Error{Code: CodeBadAnswer, Retryable: true, Message: "the answer is no JSON object: is this the base URL of the service?"}},
		{"200 and nothing", 200, data, ``, Error{Code: CodeBadAnswer, Retryable: true, Message: "the answer is no JSON object: is this the base URL of the service?"}},
		{"204", 204, "", ``, Error{Code: CodeBadAnswer, Retryable: true, Message: "the answer is no JSON object: is this the base URL of the service?"}},
		{"200 and an array", 200, data, `[]`, Error{Code: CodeBadAnswer, Retryable: true, Message: "the answer is no JSON object: []: is this the base URL of the service?"}},
		{"two statuses", 200, data, `{"status":"success","status":"error"}`,
			Error{Code: CodeBadAnswer, Retryable: true, Message: `the answer is no JSON object: {"status":"success","status":"error"}: is this the base URL of the service?`}},
		{"a huge body", 200, data, huge, Error{Code: CodeBadAnswer, Retryable: true, Message: "the answer is larger than 64 KiB"}},
		{"a huge error", 500, data, huge, Error{Code: CodeServerError, Retryable: true, Message: "the service answered 500 Internal Server Error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := newClient(t, Rules{}).Update(t.Context(), target, webhooks())
			c.want.Status = c.status
			if e := failureOf(t, err); *e != c.want {
				t.Errorf("got  %+v\nwant %+v", *e, c.want)
			}
		})
	}
}

func TestAQuestionIsNeverRefused(t *testing.T) {
	for _, status := range []int{200, 400, 422} {
		target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, `{"status":"error","error":"not ready"}`)
		})
		_, err := newClient(t, Rules{}).Versions(t.Context(), target)
		if e := failureOf(t, err); e.Code != CodeBadAnswer || !e.Retryable || !strings.Contains(e.Message, "not ready") {
			t.Errorf("%d: %+v", status, e)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		header string
		want   time.Duration
	}{
		{"7", 7 * time.Second}, {" 7 ", 7 * time.Second}, {"0", 0}, {"-5", 0}, {"", 0}, {"soon", 0}, {"1.5", 0},
		{"99999999", time.Hour}, {"99999999999999999999", 0},
		{"Fri, 02 Jan 2026 03:04:35 GMT", 30 * time.Second},
		{"Fri, 02 Jan 2026 03:04:00 GMT", 0},
		{"Sat, 02 Jan 2027 03:04:00 GMT", time.Hour},
	} {
		target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", "Fri, 02 Jan 2026 03:04:05 GMT")
			w.Header().Set("Retry-After", c.header)
			w.WriteHeader(503)
		})
		_, err := newClient(t, Rules{}).Update(t.Context(), target, webhooks())
		if e := failureOf(t, err); e.RetryAfter != c.want || e.Code != CodeServerError {
			t.Errorf("%q: %+v, want %s", c.header, e, c.want)
		}
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := retryAfter(http.Header{"Retry-After": {"Fri, 02 Jan 2026 03:04:09 GMT"}}, now); got != 4*time.Second {
		t.Errorf("without a Date: %s", got)
	}
}

func TestErrorsAreBoundedCleanAndRedacted(t *testing.T) {
	// A dropped character must not put the token together, nor the cut leave a part of it.
	for _, text := range []string{
		canary, "Bearer " + canary, canary[:5] + "\u200b" + canary[5:], canary[:5] + "\u0000" + canary[5:],
		strings.Repeat("é", 245) + canary, strings.Repeat("x", 495) + canary, "\u202e\u001b]0;x\u0007\n\t" + canary, strings.Repeat(canary, 1000),
	} {
		for _, body := range []string{
			fmt.Sprintf(`{"status":"error","error":%q,"details":{"got":[%q]}}`, "", ""), text,
		} {
			if body != text {
				quoted := strings.NewReplacer("\u0000", `\u0000`, "\u001b", `\u001b`, "\u0007", `\u0007`, "\n", `\n`, "\t", `\t`).Replace(text)
				body = `{"status":"error","error":"` + quoted + `","details":{"got":["` + quoted + `"]}}`
			}
			for _, status := range []int{200, 400, 401, 413, 500} {
				target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(status)
					io.WriteString(w, body)
				})
				_, err := newClient(t, Rules{}).Update(t.Context(), target, webhooks())
				e := failureOf(t, err)
				checkText(t, e)
				if strings.Contains(e.Error(), canary[:8]) {
					t.Errorf("shows a part of the token: %v", e)
				}
			}
		}
	}
}

func TestATokenIsRedactedInItsEscapedForms(t *testing.T) {
	const odd = `odd"tok\en`
	for _, body := range []string{
		`{"error":"odd\"tok\\en"}`, `{"error":"x","details":{"a":"odd\"tok\\en"}}`, `{"error":{"a":"o\u0064d\u0022tok\u005cen"}}`,
	} {
		target := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			io.WriteString(w, body)
		})
		target.Token = NewToken(odd)
		_, err := newClient(t, Rules{}).Update(t.Context(), target, webhooks())
		if e := failureOf(t, err); strings.Contains(e.Error(), "tok") || !strings.Contains(e.Error(), "[redacted]") {
			t.Errorf("%s: %v", body, e)
		}
	}
}

func checkText(t *testing.T, e *Error) {
	t.Helper()
	for _, text := range []string{e.Message, e.Details} {
		if len(text) > maxMessage || !utf8.ValidString(text) || printable(text) != text {
			t.Errorf("%d bytes, or not clean: %q", len(text), text)
		}
		if strings.Contains(text, canary) {
			t.Errorf("shows the token: %q", text)
		}
	}
}

func TestBrokenHTTP(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		code      Code
	}{
		{"closed without a word", "", CodeUnreachable},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n", CodeUnreachable},
		{"not HTTP, with the token", "Bearer " + canary + "\r\n", CodeUnreachable},
		{"a body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"status\":", CodeUnreachable},
		{"a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CodeUnreachable},
		{"endless headers", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", CodeUnreachable},
		{"compressed though not asked", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00", CodeBadAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newClient(t, Rules{}).Update(t.Context(), serveRaw(t, c.raw), webhooks())
			e := failureOf(t, err)
			if e.Code != c.code || !e.Retryable || e.Message == "" {
				t.Errorf("got %+v", e)
			}
			checkText(t, e)
			t.Log(e)
		})
	}
}

func FuzzJudge(f *testing.F) {
	for _, body := range []string{success, `{"detail":{"error":"` + canary + `"}}`, `{"error":{"message":["a"]},"details":null}`, `[`, "", "\xff", `{"a_version":"b"}`} {
		f.Add(200, "text/plain", body)
		f.Add(400, "application/json", body)
	}
	secret := NewToken(canary)
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		for _, update := range []bool{true, false} {
			r := reply{status: status, header: http.Header{"Content-Type": {kind}, "Location": {body}}, body: []byte(body)}
			o, err := judge(r, update, secret)
			if err != nil {
				e := failureOf(t, err)
				checkText(t, e)
				if e.Code == "" || e.Message == "" || e.Code == CodeRefused && (e.Retryable || !update) {
					t.Errorf("%d %q: %+v", status, body, e)
				}
				continue
			}
			info := infoOf(o, secret)
			for target, version := range versionsOf(o, secret).ByType {
				info.Hostname += target + version
			}
			if text := fmt.Sprintf("%+v", info); strings.Contains(text, canary) || !utf8.ValidString(text) {
				t.Errorf("%q gives %q", body, text)
			}
		}
	})
}
