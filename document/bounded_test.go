package document_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
)

// within fails if f needs more of the processor than any bounded algorithm
// would. It is not the time that passes: that depends on what else the machine
// does.
func within(t *testing.T, name string, f func()) {
	t.Helper()
	before := processorTime(t)
	f()
	took := processorTime(t) - before
	t.Logf("%s: %v", name, took.Round(time.Millisecond))
	if took > processorLimit {
		t.Errorf("%s took %v", name, took)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func code(err error) string {
	if e := (*document.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestNestingIsBounded(t *testing.T) {
	const n = 1 << 18
	deep := strings.Repeat("[", n) + strings.Repeat("]", n)
	objects := strings.Repeat(`{"a":`, n/2) + "1" + strings.Repeat("}", n/2)
	for _, text := range []string{deep, objects} {
		within(t, "compact", func() {
			if _, err := document.CompactValue([]byte(text), document.Limits{}); code(err) != document.CodeTooDeep {
				t.Errorf("got %.100v", err)
			}
		})
		within(t, "sum", func() {
			if _, err := document.Sum([]byte(text)); err == nil {
				t.Error("accepted")
			}
		})
		within(t, "instance version", func() {
			if _, err := document.InstanceVersion([]byte(text)); code(err) != document.CodeTooDeep {
				t.Errorf("got %.100v", err)
			}
		})
		within(t, "diff", func() {
			other := strings.Replace(text, "[]", "[1]", 1)
			other = strings.Replace(other, ":1}", ":2}", 1)
			if patch := diff(t, text, other); !strings.Contains(patch, "replace") {
				t.Errorf("got %.100s", patch)
			}
			if list, err := document.Changes([]byte(text), []byte(other)); err != nil || len(list) != 1 {
				t.Errorf("%d changes, %v", len(list), err)
			}
		})
		within(t, "apply", func() {
			if _, err := document.Apply([]byte(text), []byte(`[{"op":"add","path":"/0","value":1}]`), document.Limits{Bytes: 2 << 20}); code(err) != document.CodeTooDeep && code(err) != document.CodeNoSuchPath {
				t.Errorf("got %.100v", err)
			}
		})
	}
	var moves strings.Builder
	for range 8000 {
		moves.WriteString(`,{"op":"add","path":"/b","value":{}},{"op":"move","from":"/a","path":"/b/a"},{"op":"move","from":"/b","path":"/a"}`)
	}
	within(t, "nesting by moves", func() {
		if _, err := document.Apply([]byte(`{"a":1}`), []byte("["+moves.String()[1:]+"]"), document.Limits{}); code(err) != document.CodeTooDeep {
			t.Errorf("got %.100v", err)
		}
	})
}

func TestDiffOfLongArraysIsBounded(t *testing.T) {
	const n = longArray
	list := func(element func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("," + element(i))
		}
		return "[" + b.String()[1:] + "]"
	}
	numbers := list(func(i int) string { return fmt.Sprint(i) })
	cases := []struct{ name, from, to string }{
		{"one inserted in front", numbers, "[-1," + numbers[1:]},
		{"one removed within", numbers, strings.Replace(numbers, ",15000,", ",", 1)},
		{"reversed", numbers, list(func(i int) string { return fmt.Sprint(n - 1 - i) })},
		{"shuffled", numbers, list(func(i int) string { return fmt.Sprint(i * 7919 % n) })},
		{"each changed", numbers, list(func(i int) string { return fmt.Sprint(i + n) })},
		{"every tenth changed", numbers, list(func(i int) string {
			if i%10 == 0 {
				return fmt.Sprint(-i)
			}
			return fmt.Sprint(i)
		})},
		{"every tenth removed", numbers, list(func(i int) string { return fmt.Sprint(i*10/9 + 1) })},
		{"two values", list(func(i int) string { return fmt.Sprint(i * 7919 % 11 % 2) }), list(func(i int) string { return fmt.Sprint(i * 104729 % 13 % 2) })},
		{"objects", list(func(i int) string { return fmt.Sprintf(`{"i":%d}`, i) }), list(func(i int) string { return fmt.Sprintf(`{"i":%d}`, i*3) })},
		{"to nothing", numbers, "[]"},
		{"from nothing", "[]", numbers},
		{"wide objects", `{"` + strings.ReplaceAll(numbers[1:len(numbers)-1], ",", `":0,"`) + `":0}`, `{"x` + strings.ReplaceAll(numbers[1:len(numbers)-1], ",", `":1,"x`) + `":0}`},
	}
	for _, c := range cases {
		var patch string
		within(t, c.name, func() { patch = diff(t, c.from, c.to) })
		within(t, c.name+", changes", func() {
			if list, err := document.Changes([]byte(c.from), []byte(c.to)); err != nil || len(list) == 0 {
				t.Errorf("%d changes, %v", len(list), err)
			}
		})
		within(t, c.name+", applied", func() {
			got, err := document.Apply([]byte(c.from), []byte(patch), document.Limits{Bytes: 4 << 20})
			if err != nil || c.from[0] == '[' && string(got) != c.to || sum(t, string(got)) != sum(t, c.to) {
				t.Errorf("%s: got %.100s, %v", c.name, got, err)
			}
		})
		if strings.HasPrefix(c.name, "one ") && len(patch) > 60 {
			t.Errorf("%s: %.200s", c.name, patch)
		}
	}
}

func TestPatchesAreBounded(t *testing.T) {
	repeat := func(op string, n int) []byte { return []byte("[" + strings.Repeat(op+",", n) + op + "]") }
	const n = longArray / 4
	long := []byte(`{"a":[` + strings.Repeat("0,", longArray) + `0]}`)
	doubling := repeat(`{"op":"copy","from":"","path":"/b"},{"op":"add","path":"/c","value":[]},{"op":"copy","from":"","path":"/c/0"}`, 100)
	cases := []struct {
		name        string
		text, patch []byte
		code        string
	}{
		{"inserting in front", long, repeat(`{"op":"add","path":"/a/0","value":1}`, n), "<nil>"},
		{"removing in front", long, repeat(`{"op":"remove","path":"/a/0"}`, n), "<nil>"},
		{"inserting behind", []byte(`{"a":[]}`), repeat(`{"op":"add","path":"/a/-","value":1}`, n), "<nil>"},
		{"moving about", long, repeat(fmt.Sprintf(`{"op":"move","from":"/a/%d","path":"/a/0"}`, longArray-1), n*4/5), "<nil>"},
		{"moving the whole", long, repeat(`{"op":"move","from":"/a","path":"/b"},{"op":"move","from":"/b","path":"/a"}`, n/4), "<nil>"},
		{"copying the whole", long, repeat(`{"op":"copy","from":"/a","path":"/b"}`, n), document.CodeTooLarge},
		{"copying what was changed", long, repeat(`{"op":"replace","path":"/a/0","value":1},{"op":"copy","from":"/a","path":"/b"}`, n/4), document.CodeTooLarge},
		{"testing the whole", long, repeat(`{"op":"test","path":"/a/0","value":0},{"op":"test","path":"","value":{}}`, 1), document.CodeTestFailed},
		{"doubling", []byte(`{"a":"x"}`), doubling, document.CodeTooLarge},
		{"setting and removing", []byte(`{}`), repeat(`{"op":"add","path":"/a","value":1},{"op":"remove","path":"/a"}`, n/3), "<nil>"},
		{"long paths", []byte(`{}`), repeat(`{"op":"add","path":"`+strings.Repeat("/a", 1000)+`","value":1}`, 400), document.CodeNoSuchPath},
	}
	for _, c := range cases {
		within(t, c.name, func() {
			if _, err := document.Apply(c.text, c.patch, document.Limits{}); code(err) != c.code {
				t.Errorf("%s: got %.200v", c.name, err)
			}
		})
	}
	number := `{"a":1.` + strings.Repeat("0", 1<<20-20) + `}`
	within(t, "testing a long number", func() {
		patch := repeat(`{"op":"test","path":"/a","value":1}`, n)
		if _, err := document.Apply([]byte(number), patch, document.Limits{}); code(err) != document.CodeTooLarge {
			t.Errorf("got %.200v", err)
		}
	})
}
