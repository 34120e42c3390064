package instance

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseURLNormalises(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"http://hooks.example.com", "http://hooks.example.com"},
		{"HTTPS://Hooks.Example.COM/", "https://hooks.example.com"},
		{"https://hooks:443", "https://hooks"},
		{"http://hooks:80/", "http://hooks"},
		{"https://hooks:80", "https://hooks:80"},
		{"http://hooks:08080", "http://hooks:8080"},
		{"https://gate.example.com/hooks/a//", "https://gate.example.com/hooks/a"},
		{"https://gate/%C3%A4", "https://gate/%C3%A4"},
		{"http://10.0.0.1:8000", "http://10.0.0.1:8000"},
		{"http://[2001:DB8:0::1]:8000/x", "http://[2001:db8::1]:8000/x"},
		{"http://[::ffff:10.0.0.1]", "http://10.0.0.1"},
		{"http://web_hook.svc.cluster.local.:9", "http://web_hook.svc.cluster.local.:9"},
	} {
		got, err := ParseURL(c.text)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"", "http or https"},
		{"hooks:8000", "http or https"},
		{"ftp://hooks", "http or https"},
		{"file:///etc/passwd", "http or https"},
		{"unix:/run/x", "http or https"},
		{"http:hooks", "no host"},
		{"http:///admin", "no host"},
		{"http://user:pass@hooks", "user or password"},
		{"http://user@hooks", "user or password"},
		{"http://us:p%zz@hooks", "user or password"},
		{"http://hooks?x=1", "query"},
		{"http://hooks?", "query"},
		{"http://hooks#", "fragment"},
		{"http://hooks/#a", "fragment"},
		{"http://hooks:", "no port"},
		{"http://hooks:0", "1 to 65535"},
		{"http://hooks:65536", "1 to 65535"},
		{"http://hooks:http", "cannot be read"},
		{"http://[fe80::1%25eth0]", "zone"},
		{"http://[hooks]", "cannot be read"},
		{"http://127.1", "neither"},
		{"http://2130706433", "neither"},
		{"http://0x7f000001", "neither"},
		{"http://010.0.0.1", "neither"},
		{"http://-a", "neither"},
		{"http://a..b", "neither"},
		{"http://.", "neither"},
		{"http://%41", "cannot be read"},
		{"http://" + strings.Repeat("a", 64), "neither"},
		{"http://hö", "punycode"},
		{"http://a b", "' '"},
		{"http://a\n", `'\n'`},
		{`http://a\b`, `'\\'`},
		{"http://a/../b", "dot segment"},
		{"http://a/%2e%2E/b", "dot segment"},
		{"http://a//b", "dot segment"},
		{"http://a/%0a", "control"},
		{"http://a/" + strings.Repeat("b", maxURL), "longer"},
	} {
		got, err := ParseURL(c.text)
		if err == nil {
			t.Errorf("%s: taken as %q", c.text, got)
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want it to say %q", c.text, err, c.says)
		}
		if strings.Contains(err.Error(), "pass@") {
			t.Errorf("%s: the error shows the password: %v", c.text, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, text := range []string{"http://a", "https://[::1]:443/x/", "http://a@b", "http://127.1", "http://a/%2e%2e", "http://A.:80"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseURL(text)
		if err != nil {
			return
		}
		if again, err := ParseURL(got); err != nil || again != got {
			t.Errorf("%q is normalised to %q, and that to %q, %v", text, got, again, err)
		}
		u, err := url.Parse(got + updatePath)
		if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Host == "" || !strings.HasSuffix(u.Path, updatePath) {
			t.Errorf("%q leads to %q: %+v, %v", text, got, u, err)
		}
	})
}
