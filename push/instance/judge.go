package instance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// busyText is what a service says while it reloads, in whatever case.
const busyText = "reload already in progress"

// reply is an HTTP answer, read to the limit.
type reply struct {
	status int
	header http.Header
	body   []byte
	cut    bool // the body was larger than the limit
}

func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

// judge finds the object in a reply, or the error that it is. update says that
// content was sent, which alone can be refused.
func judge(r reply, update bool, secret Token) (object, error) {
	var o object
	if !r.cut {
		o = parseObject(r.body)
	}
	if o != nil {
		o = o.unwrap()
	}
	status := strings.ToLower(o.text("status"))
	if r.ok() && o != nil && (status == "success" || !update && status != "error") {
		return o, nil
	}
	e := &Error{Status: r.status, RetryAfter: retryAfter(r.header, time.Now())}
	message, details := o.reason()
	e.Details = Clean(details, maxMessage, secret)
	switch said := Clean(message, maxMessage, secret); {
	case isBusy(message, details) && r.status != http.StatusUnauthorized && r.status != http.StatusForbidden:
		e.Code, e.Busy, e.Retryable, e.Message = CodeBusy, true, true, said
	case r.ok():
		e.judgeSuccess(r, o, update, said)
	default:
		e.judgeStatus(r, o, update, said)
	}
	e.Message = Clean(e.Message, maxMessage, secret)
	return nil, e
}

func isBusy(texts ...string) bool {
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), busyText) {
			return true
		}
	}
	return false
}

// judgeSuccess is about a 2xx that is no success.
func (e *Error) judgeSuccess(r reply, o object, update bool, said string) {
	e.Code, e.Retryable = CodeBadAnswer, true
	switch status := strings.ToLower(o.text("status")); {
	case r.cut:
		e.Message = fmt.Sprintf("the answer is larger than %d KiB", maxBody>>10)
	case o == nil:
		e.Message = "the answer is no JSON object" + quote(r) + ": is this the base URL of the service?"
	case status == "error" && update:
		e.Code, e.Retryable, e.Message = CodeRefused, false, or(said, "the service refused the content and gave no reason")
	case status == "error":
		e.Message = or(said, "the service answered with an error and gave no reason")
	default:
		e.Message = `the answer does not say "status": "success"` + quote(r)
	}
}

func (e *Error) judgeStatus(r reply, o object, update bool, said string) {
	name := strings.TrimSpace(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))
	because := ""
	if said != "" {
		because = ": " + said
	} else if o == nil {
		because = quote(r)
	}
	e.Code, e.Retryable, e.Message = CodeBadAnswer, true, "the service answered "+name+because
	switch s := r.status; {
	case (s == http.StatusBadRequest || s == http.StatusUnprocessableEntity) && update && o != nil:
		// Without JSON it was not the service who spoke: a proxy, or a port that wants TLS.
		e.Code, e.Retryable, e.Message = CodeRefused, false, or(said, "the service refused the content and gave no reason")
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		e.Code, e.Retryable = CodeUnauthorized, false
		e.Message = "the service does not accept the token (" + name + because + "): set the one that it expects"
	case s == http.StatusRequestTimeout || s == http.StatusTooManyRequests:
		e.Code = CodeThrottled
	case s == http.StatusRequestEntityTooLarge:
		e.Code, e.Retryable = CodeTooLarge, false
		e.Message = "the document is larger than the service takes (" + name + because + ")"
	case s >= 500:
		e.Code = CodeServerError
	case s >= 300 && s < 400:
		e.Code, e.Retryable = CodeRedirected, false
		e.Message = "the service redirects to " + or(r.header.Get("Location"), "nowhere") + " (" + name + "), which is not followed: set the URL that it means"
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// quote gives the beginning of a plain text; a page of HTML helps nobody.
func quote(r reply) string {
	kind, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	text := printable(string(r.body)) // whole: the secrets are taken out before the cut
	if text == "" || r.cut || kind != "text/plain" && kind != "application/json" {
		return ""
	}
	return ": " + text
}

// failure maps an error of the transport. When the caller gave up, that is what
// is returned: it is no failure of the instance.
func failure(ctx context.Context, err error, within time.Duration, sent bool, secret Token) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("call of an instance: %w", ctx.Err())
	}
	e := &Error{Code: CodeUnreachable, Retryable: true}
	var (
		address *addressError
		dns     *net.DNSError
		timeout net.Error
	)
	switch reason, isTLS := tlsReason(err); {
	case errors.As(err, &address):
		e.Code, e.Retryable, e.Message = CodeNotAllowed, false, address.Error()
	case errors.As(err, &dns) && !dns.IsTimeout:
		e.Message = fmt.Sprintf("the name %q does not resolve: %s", dns.Name, dns.Err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		e.Code, e.Message = CodeTimeout, fmt.Sprintf("no answer within %s", within)
	case isTLS:
		e.Message = "TLS: " + reason
	default:
		e.Message = strings.TrimPrefix(rootText(err), "http: ")
	}
	e.Sent = sent && e.Code == CodeUnreachable
	e.Message = Clean(e.Message, maxMessage, secret)
	return e
}

// tlsReason explains the usual causes of a failed handshake.
func tlsReason(err error) (string, bool) {
	var (
		unknown *x509.UnknownAuthorityError
		byValue x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		verify  *tls.CertificateVerificationError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &unknown), errors.As(err, &byValue):
		return "the certificate is signed by an unknown authority: set the CA that signed it", true
	case errors.As(err, &host):
		return host.Error() + ": set the server name, or the URL that the certificate is for", true
	case errors.As(err, &invalid):
		return invalid.Error(), true
	case errors.As(err, &record):
		return "the service does not speak TLS on this port: is it an http URL?", true
	case errors.As(err, &verify):
		return verify.Error(), true
	case errors.As(err, &op) && op.Op == "remote error":
		return "the service ended the handshake: " + op.Err.Error(), true
	}
	return "", false
}

// rootText is the innermost text: the wrappings repeat the method and the URL.
func rootText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Error()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
