package document_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
)

func TestCompactDropsWhiteSpaceAndNothingElse(t *testing.T) {
	cases := []struct{ text, want string }{
		{" {\n} ", `{}`},
		{"{ \"b\" : 1 ,\r\n\t\"a\" : [ 1 , 2 ] }", `{"b":1,"a":[1,2]}`},
		{`{"n":[1,1.0,1e2,1E+2,0.1,-0,-0.0,1.50,5e-324,0e400,900719925474099e-3]}`, ""},
		{`{"s":"\u00e9 é \/ / \ud83d\ude02 a  b \t"}`, ""},
		{`{"":{"":[[],{},null,true,false]}}`, ""},
		{`{"\u0061":1,"A":2}`, ""},
	}
	for _, c := range cases {
		want := c.want
		if want == "" {
			want = c.text
		}
		got, err := document.Compact([]byte(c.text), document.Limits{})
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", c.text, got, err)
		}
	}
}

func TestCompactRefusesAndNamesThePlace(t *testing.T) {
	cases := []struct{ text, code, pointer, message string }{
		{``, document.CodeNotJSON, "", "empty"},
		{`  `, document.CodeNotJSON, "", ""},
		{`{`, document.CodeNotJSON, "", "line 1, column 2"},
		{"{\n  \"a\": x\n}", document.CodeNotJSON, "/a", "line 2, column 8"},
		{`{"a":1}}`, document.CodeNotJSON, "", "column 8"},
		{`{"a":1} {}`, document.CodeNotJSON, "", "after the end"},
		{`{"a":1,}`, document.CodeNotJSON, "", ""},
		{`{'a':1}`, document.CodeNotJSON, "", ""},
		{`{"a":01}`, document.CodeNotJSON, "", "column 7"},
		{`{"a":NaN}`, document.CodeNotJSON, "/a", ""},
		{"\ufeff{}", document.CodeNotJSON, "", ""},
		{"{\"a\":\"\xff\"}", document.CodeNotJSON, "/a", "UTF-8"},
		{"{\"a\":\"\n\"}", document.CodeNotJSON, "/a", ""},
		{`{"a":"\ud800"}`, document.CodeNotJSON, "/a", ""},
		{`{"a":"\x"}`, document.CodeNotJSON, "/a", ""},
		{`[]`, document.CodeNotObject, "", "this is an array"},
		{`"a"`, document.CodeNotObject, "", "this is a string"},
		{`1`, document.CodeNotObject, "", "this is a number"},
		{`null`, document.CodeNotObject, "", "this is null"},
		{`true`, document.CodeNotObject, "", "this is a boolean"},
		{`{"a":1,"b":2,"a":3}`, document.CodeDuplicateKey, "/a", `"a"`},
		{`{"x":[{"~/":1,"~/":1}]}`, document.CodeDuplicateKey, "/x/0/~0~1", `"~/"`},
		{`{"a":1,"\u0061":2}`, document.CodeDuplicateKey, "/a", `"a"`},
		{`{"a":[0,9007199254740993]}`, document.CodeInexactNumber, "/a/1", "9007199254740993"},
		{`{"a":1e400}`, document.CodeInexactNumber, "/a", "1e400"},
		{`{"a":{"b":[[[[]]]]}}`, document.CodeTooDeep, "/a/b/0/0", "limit of 4"},
		{`{"a":"` + strings.Repeat("x", 60) + `"}`, document.CodeTooLarge, "", "limit of 60"},
	}
	for _, c := range cases {
		_, err := document.Compact([]byte(c.text), document.Limits{Bytes: 60, Depth: 4})
		var e *document.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v", c.text, err)
			continue
		}
		if e.Code != c.code || e.Pointer != c.pointer || !strings.Contains(e.Message, c.message) {
			t.Errorf("%q: got %s at %q: %s", c.text, e.Code, e.Pointer, e.Message)
		}
		if strings.Contains(e.Message, "jsontext") {
			t.Errorf("%q: the message names a library: %s", c.text, e.Message)
		}
	}
}

func TestCompactValueTakesAnyValue(t *testing.T) {
	for _, text := range []string{`[]`, `"a"`, `1`, `null`, `true`, `{}`} {
		if got, err := document.CompactValue([]byte(" "+text+"\n"), document.Limits{}); err != nil || string(got) != text {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
}

func TestNumbersAreExactOrRefused(t *testing.T) {
	exact := []string{
		"0", "-0", "-0.0", "0.000", "0e400", "0.1", "1.0", "1e2", "1E-2", "100000000000000000000", "1e22", "1e23", "5e-324", "-5e-324",
		"1.7976931348623157e308", "9007199254740992", "9007199254740994", "123456789012345", "0.30000000000000004", "1000000000000000000000000",
		"1.00000000000000000000000000000", "0.0000000000000000000000000000001", "12.5e-1", "2.2250738585072014e-308", "1e0000000000000002",
	}
	inexact := []string{
		"9007199254740993", "1e400", "-1e400", "1e-400", "4.9e-324", "0.1000000000000000055511151231257827", "123456789012345678901234567890",
		"333333333.33333329", "1.7976931348623157e309", "2.4703282292062327e-324", "1e99999999999999999999", "1e-99999999999999999999",
		"0.30000000000000001", "1.00000000000000000000000000001",
	}
	for _, literal := range exact {
		if _, err := document.CompactValue([]byte(literal), document.Limits{}); err != nil {
			t.Errorf("%s: %v", literal, err)
		}
	}
	for _, literal := range inexact {
		var e *document.Error
		if _, err := document.CompactValue([]byte(literal), document.Limits{}); !errors.As(err, &e) || e.Code != document.CodeInexactNumber {
			t.Errorf("%s: got %v", literal, err)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + "{}" + strings.Repeat("}", n-1) }
	if _, err := document.Compact([]byte(deep(32)), document.Limits{}); err != nil {
		t.Errorf("32 levels: %v", err)
	}
	var e *document.Error
	if _, err := document.Compact([]byte(deep(33)), document.Limits{}); !errors.As(err, &e) || e.Code != document.CodeTooDeep {
		t.Errorf("33 levels: %v", err)
	}
	if e.Pointer != strings.Repeat("/a", 32) {
		t.Errorf("33 levels: the pointer is %s", e.Pointer)
	}
	whole := fmt.Sprintf(`{"a":"%s"}`, strings.Repeat("x", 1<<20-8))
	if _, err := document.Compact([]byte(strings.Replace(whole, ":", " : ", 1)), document.Limits{}); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	if _, err := document.Compact([]byte(strings.Replace(whole, "x", "xx", 1)), document.Limits{}); !errors.As(err, &e) || e.Code != document.CodeTooLarge {
		t.Errorf("1 MiB and a byte: %v", err)
	}
	if got := document.DefaultLimits(); got != (document.Limits{Bytes: 1 << 20, Depth: 32}) {
		t.Errorf("defaults: %v", got)
	}
}

func TestIsObject(t *testing.T) {
	if !document.IsObject([]byte(`{}`)) || document.IsObject([]byte(`[]`)) || document.IsObject(nil) {
		t.Error("an object is not told from others")
	}
}

func TestValidName(t *testing.T) {
	long := strings.Repeat("a", 200)
	for _, name := range []string{"a", "webhooks", "routing/core", "0", "a.b_c-d/1", "a/b/c/d/e/f/g/h", "x.jsonl", "json", long} {
		if err := document.ValidName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, message := range map[string]string{
		"": "empty", "/a": "empty segment", "a/": "empty segment", "a//b": "empty segment", "A": "does not begin", ".a": "does not begin",
		"..": "does not begin", "a/../b": "does not begin", "-a": "does not begin", "a b": "other than", "é": "does not begin", "aé": "other than",
		"a.json": ".json", "a.json/b": ".json", "a/b/c/d/e/f/g/h/i": "9 segments", long + "a": "201 bytes", "a\x00": "other than", `a\b`: "other than",
	} {
		var e *document.Error
		if err := document.ValidName(name); !errors.As(err, &e) || e.Code != document.CodeBadName || !strings.Contains(e.Message, message) {
			t.Errorf("%q: got %v, want %s", name, err, message)
		}
	}
}
