package instance

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxURL  = 2048 // bytes
	maxHost = 253  // bytes, RFC 1035
)

// ParseURL checks the base URL of an instance and gives its normal form: scheme
// and host in lower case, no default port, no slash at the end. A path stays:
// the endpoints are looked for below it. What a base URL cannot have (another
// scheme than http and https, user and password, query, fragment, a zone, dot
// segments) is refused with an error that says so.
func ParseURL(text string) (string, error) {
	u, err := splitURL(text)
	if err != nil {
		return "", err
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the scheme of the URL is %.20q: use http or https", u.Scheme)
	}
	switch {
	case u.Opaque != "" || u.Host == "":
		return "", errors.New("the URL has no host: write it as https://host:port")
	case u.User != nil:
		return "", errors.New("the URL holds a user or password: leave it out and set the token")
	case u.RawQuery != "" || u.ForceQuery:
		return "", errors.New("the URL has a query (?): give the base URL only")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return "", errors.New("the URL has a fragment (#): give the base URL only")
	}
	host, err := parseHost(u.Hostname(), strings.HasPrefix(u.Host, "["))
	if err != nil {
		return "", err
	}
	port, err := parsePort(u)
	if err != nil {
		return "", err
	}
	path, err := parsePath(u)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + host + port + path, nil
}

func splitURL(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("the URL is longer than %d bytes", maxURL)
	}
	for _, r := range text {
		if r <= ' ' || r > '~' || r == '\\' {
			return nil, fmt.Errorf("the URL has the character %q: write names in ASCII (punycode) and escape the rest with %%", r)
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		// The text is left out: it may hold a password.
		var wrong *url.Error
		if errors.As(err, &wrong) {
			err = wrong.Err
		}
		if strings.Contains(text, "@") {
			return nil, errors.New("the URL cannot be read: it may not hold a user or password")
		}
		return nil, fmt.Errorf("the URL cannot be read: %.200s", err.Error())
	}
	return u, nil
}

func parseHost(host string, bracketed bool) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "", errors.New("the URL has an address with a zone (%): every peer names its interfaces differently")
		}
		addr = addr.Unmap()
		if addr.Is6() {
			return "[" + addr.String() + "]", nil
		}
		return addr.String(), nil
	}
	host = strings.ToLower(host)
	if bracketed || !validName(host) {
		return "", fmt.Errorf("%.80q in the URL is neither a host name nor an IP address", host)
	}
	return host, nil
}

// validName takes the names that DNS can answer for, with an underscore, which
// some internal names have. A name whose last label is a number is refused: to
// some resolvers 127.1 and 0x7f000001 are addresses.
func validName(host string) bool {
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > maxHost {
		return false
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

func parsePort(u *url.URL) (string, error) {
	text := u.Port()
	if text == "" {
		if strings.HasSuffix(u.Host, ":") {
			return "", errors.New("the URL has a colon and no port behind it")
		}
		return "", nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return "", fmt.Errorf("the port of the URL is %.20q: use 1 to 65535", text)
	}
	if u.Scheme == "http" && port == 80 || u.Scheme == "https" && port == 443 {
		return "", nil
	}
	return ":" + strconv.FormatUint(port, 10), nil
}

func parsePath(u *url.URL) (string, error) {
	path := strings.TrimRight(u.EscapedPath(), "/")
	if path == "" {
		return "", nil
	}
	for _, segment := range strings.Split(path, "/")[1:] {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return "", fmt.Errorf("the path of the URL cannot be read: %.200s", err.Error())
		}
		if plain == "" || plain == "." || plain == ".." {
			return "", errors.New("the path of the URL has an empty or dot segment: write it without")
		}
		for _, r := range plain {
			if r < ' ' || r == 0x7f || r == '\\' {
				return "", errors.New("the path of the URL has a control character or a backslash")
			}
		}
	}
	return path, nil
}
