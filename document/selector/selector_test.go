package selector_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/selector"
	"pgregory.net/rapid"
)

func parse(t testing.TB, s string) selector.Selector {
	t.Helper()
	parsed, err := selector.Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return parsed
}

func TestMatches(t *testing.T) {
	edge := map[string]string{"site": "site-1", "role": "edge", "example.com/tier": "gold", "empty": ""}
	cases := []struct {
		selector string
		want     bool
	}{
		{"", true}, {"  ", true},
		{"site=site-1", true}, {"site==site-1", true}, {"site = site-2", false}, {"none=x", false},
		{"site!=site-2", true}, {"site!=site-1", false}, {"none!=x", true},
		{"site in (site-1, site-2)", true}, {"site in (site-3)", false}, {"none in (a)", false},
		{"site notin (site-1)", false}, {"site notin (a,b)", true}, {"none notin (a)", true},
		{"role", true}, {"none", false}, {"!none", true}, {"!role", false}, {"! role", false},
		{"empty=", true}, {"role=", false}, {"none=", false}, {"empty in (,a)", true}, {"empty", true},
		{"example.com/tier=gold", true}, {"example.com/tier in (silver)", false},
		{"role=edge,site in (site-1),!none", true}, {"role=edge,site=x", false},
		{"role=edge,role=edge", true}, {"role=edge,role=core", false},
		{"in in (a)", false}, {"!notin", true}, {"role==in", false},
	}
	for _, c := range cases {
		if got := parse(t, c.selector).Matches(edge); got != c.want {
			t.Errorf("%q: got %v", c.selector, got)
		}
	}
	if !(selector.Selector{}).Matches(nil) || !parse(t, "").Empty() || parse(t, "a").Empty() {
		t.Error("the empty selector does not match everything")
	}
}

func TestStringIsOneSpelling(t *testing.T) {
	cases := []struct{ selector, want string }{
		{"", ""},
		{" b == 2 , a ", "a,b=2"},
		{"x in (c , a,b, a)", "x in (a,b,c)"},
		{"x notin (a)", "x notin (a)"},
		{"!z,a!=1", "a!=1,!z"},
		{"a=,b in (,)", "a=,b in (,)"},
		{"a=1,a=1", "a=1"},
	}
	for _, c := range cases {
		if got := parse(t, c.selector).String(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.selector, got, c.want)
		}
	}
}

func TestParseRefusesAndNamesThePlace(t *testing.T) {
	cases := []struct{ selector, message string }{
		{"a,", "column 3: the key of a label is expected, not the end"},
		{",a", "column 1"},
		{"a b", `column 3: one of =, ==, !=, in and notin is expected, not "b"`},
		{"a=b=c", "column 4: a comma is missing"},
		{"a in b", `column 6: "(" is expected`},
		{"a in ()", "the list of values is empty"},
		{"a in (b", `"," or ")" is expected, not the end`},
		{"a in (b c)", `"," or ")" is expected`},
		{"a>1", `">" is not supported`},
		{"!a=b", "a comma is missing"},
		{"!", "the key of a label is expected"},
		{"a=!b", "a value is expected"},
		{"-a=b", "must begin and end"},
		{"a=b_", "must begin and end"},
		{"a=b@c", "letters, digits"},
		{"/a=b", "not a DNS name"},
		{"Up/a", "in lower case"},
		{"x/", "has no name"},
		{"x/y/z", "letters, digits"},
		{"a=" + strings.Repeat("b", 64), "longer than 63"},
		{strings.Repeat("a,", 4000) + "a", "4096 are allowed"},
		{"é=b", "letters, digits"},
	}
	for _, c := range cases {
		_, err := selector.Parse(c.selector)
		var e *document.Error
		if !errors.As(err, &e) || e.Code != selector.CodeBadSelector || !strings.Contains(e.Message, c.message) {
			t.Errorf("%q: got %v, want %s", c.selector, err, c.message)
		}
	}
}

func TestValidLabels(t *testing.T) {
	good := map[string]string{"a": "", "A-b_c.9": "x.Y_z-0", "drover.example/site": "1", strings.Repeat("k", 63): strings.Repeat("v", 63)}
	if err := selector.ValidLabels(good); err != nil {
		t.Error(err)
	}
	if err := selector.ValidLabels(nil); err != nil {
		t.Error(err)
	}
	cases := []struct{ key, value, pointer, message string }{
		{"", "x", "/", "has no name"},
		{"a b", "x", "/a b", "letters, digits"},
		{"a/~b", "x", "/a~1~0b", "letters, digits"},
		{"a", "-x", "/a", "value"},
		{"a", strings.Repeat("x", 64), "/a", "longer than 63"},
		{strings.Repeat("p", 254) + "/a", "x", "/" + strings.Repeat("p", 254) + "~1a", "prefix longer than 253"},
		{"a..b/c", "x", "/a..b~1c", "DNS name"},
		{"-a.b/c", "x", "/-a.b~1c", "DNS name"},
	}
	for _, c := range cases {
		err := selector.ValidLabels(map[string]string{"zz": "fine", c.key: c.value})
		var e *document.Error
		if !errors.As(err, &e) || e.Code != selector.CodeBadLabel || e.Pointer != c.pointer || !strings.Contains(e.Message, c.message) {
			t.Errorf("%q=%q: got %v", c.key, c.value, err)
		}
	}
}

// requirementModel is a requirement in the words of the Kubernetes documentation.
type requirementModel struct {
	key, op string
	values  []string
}

func (r requirementModel) String() string {
	switch r.op {
	case "exists":
		return r.key
	case "absent":
		return "!" + r.key
	case "in", "notin":
		return r.key + " " + r.op + " (" + strings.Join(r.values, ", ") + ")"
	}
	return r.key + r.op + r.values[0]
}

func (r requirementModel) matches(labels map[string]string) bool {
	value, there := labels[r.key]
	listed := false
	for _, v := range r.values {
		listed = listed || v == value
	}
	switch r.op {
	case "exists":
		return there
	case "absent":
		return !there
	case "=", "==", "in":
		return there && listed
	}
	return !there || !listed
}

func TestSelectorsAgreeWithTheirDefinition(t *testing.T) {
	key := rapid.SampledFrom([]string{"a", "b", "in", "x.y/c"})
	value := rapid.SampledFrom([]string{"1", "2", "3", "notin"})
	model := rapid.Custom(func(t *rapid.T) requirementModel {
		return requirementModel{
			key:    key.Draw(t, "key"),
			op:     rapid.SampledFrom([]string{"exists", "absent", "=", "==", "!=", "in", "notin"}).Draw(t, "op"),
			values: rapid.SliceOfN(value, 1, 3).Draw(t, "values"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		models := rapid.SliceOfN(model, 0, 4).Draw(t, "requirements")
		labels := rapid.MapOf(key, value).Draw(t, "labels")
		var texts []string
		want := true
		for i, m := range models {
			if strings.Contains(m.String(), "=") {
				models[i].values = m.values[:1]
			}
			texts = append(texts, models[i].String())
			want = want && models[i].matches(labels)
		}
		s, err := selector.Parse(strings.Join(texts, ","))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Matches(labels); got != want {
			t.Fatalf("%s on %v: got %v", s, labels, got)
		}
		again, err := selector.Parse(s.String())
		if err != nil || again.String() != s.String() || again.Matches(labels) != want {
			t.Fatalf("%s was read back as %s, %v", s, again, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a=b", "a in (b, c),!d", "x.y/z notin (,)", "a!=", "!in", "a == b,c>d", "((", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := selector.Parse(text)
		if err != nil {
			return
		}
		again, err := selector.Parse(s.String())
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", text, s, err)
		}
		if again.String() != s.String() {
			t.Fatalf("%q became %q and then %q", text, s, again)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	s := parse(b, "role=edge,site in (site-1,site-2,site-3),!retired")
	labels := map[string]string{"site": "site-2", "role": "edge", "region": "eu"}
	b.ReportAllocs()
	for b.Loop() {
		if !s.Matches(labels) {
			b.Fatal("no match")
		}
	}
}
