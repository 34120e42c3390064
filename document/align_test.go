package document

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// longest is the length of a longest common subsequence, by the table.
func longest(a, b []int32) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func checkMatches(t *rapid.T, a, b []int32, pairs []pair) {
	last := pair{-1, -1}
	for _, p := range pairs {
		if p.a <= last.a || p.b <= last.b {
			t.Fatalf("%v does not rise", pairs)
		}
		if a[p.a] != b[p.b] {
			t.Fatalf("%v pairs %d with %d", pairs, a[p.a], b[p.b])
		}
		last = p
	}
}

func TestShortestScriptIsShortest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int32Range(0, rapid.Int32Range(1, 30).Draw(t, "kinds")), 0, 40)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		want := longest(a, b)
		edits := len(a) + len(b) - 2*want
		pairs, ok := shortestScript(a, b, edits)
		if !ok || len(pairs) != want {
			t.Fatalf("%d matches, %v, want %d", len(pairs), ok, want)
		}
		checkMatches(t, a, b, pairs)
		if pairs, ok := shortestScript(a, b, edits-1); ok && edits > 0 {
			t.Fatalf("with an edit less it finds %v", pairs)
		}
	})
}

func TestAnchorsAreElementsThatOccurOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int32Range(0, 30), 0, 40)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		pairs := anchors(a, b)
		checkMatches(t, a, b, pairs)
		once := func(in []int32, v int32) bool {
			first := slices.Index(in, v)
			return first >= 0 && slices.Index(in[first+1:], v) < 0
		}
		repeated := func(v int32) bool { return !once(a, v) || !once(b, v) }
		for _, p := range pairs {
			if repeated(a[p.a]) {
				t.Fatalf("%d occurs more than once", a[p.a])
			}
		}
		onlyA, onlyB := slices.DeleteFunc(slices.Clone(a), repeated), slices.DeleteFunc(slices.Clone(b), repeated)
		if want := longest(onlyA, onlyB); len(pairs) != want {
			t.Fatalf("%d anchors, want %d", len(pairs), want)
		}
	})
}

func TestCommonElementsOfLongArraysAreCommon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(300, 800).Draw(t, "length")
		kinds := rapid.SampledFrom([]int32{2, 100, 100_000}).Draw(t, "kinds")
		values := rapid.SliceOfN(rapid.Int32Range(0, kinds), n, n)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		checkMatches(t, a, b, commonElements(a, b))
	})
}
