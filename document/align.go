package document

import (
	"bytes"
	"slices"
)

// pair says that element a of one array became element b of the other.
type pair struct{ a, b int32 }

// Bounds of the search. They only cost a longer patch, never a wrong one.
const (
	maxEdits      = 256 // edits that the search for the shortest script goes to
	maxGapEdits   = 64  // the same in a gap between two anchors
	maxPairTable  = 256 // cells of the table that pairs changed elements
	stepOverhead  = 40  // bytes of an operation around its value, roughly
	dissimilarity = 1   // what makes two values of different kinds a worse pair than none
)

// alignArrays pairs the elements of two arrays, in rising order on both sides:
// equal ones by a longest common subsequence, bounded in time, and those
// between them that look like changed versions of each other.
func alignArrays(a, b part, old, now []int32) []pair {
	text := func(p part, at int32) []byte { return part{p.src, at}.text() }
	equal := func(i, j int) bool { return bytes.Equal(text(a, old[i]), text(b, now[j])) }
	head := 0
	for head < len(old) && head < len(now) && equal(head, head) {
		head++
	}
	tail := 0
	for tail < len(old)-head && tail < len(now)-head && equal(len(old)-1-tail, len(now)-1-tail) {
		tail++
	}
	// Numbers for texts: equal texts, equal numbers.
	numbers := make(map[string]int32)
	number := func(p part, places []int32) []int32 {
		out := make([]int32, len(places))
		for i, at := range places {
			t := text(p, at)
			n, ok := numbers[string(t)]
			if !ok {
				n = int32(len(numbers))
				numbers[string(t)] = n
			}
			out[i] = n
		}
		return out
	}
	oldMiddle, nowMiddle := old[head:len(old)-tail], now[head:len(now)-tail]
	var middle []pair
	if len(oldMiddle) > 0 && len(nowMiddle) > 0 {
		middle = commonElements(number(a, oldMiddle), number(b, nowMiddle))
	}
	pairs := make([]pair, 0, min(len(old), len(now)))
	for i := range head {
		pairs = append(pairs, pair{int32(i), int32(i)})
	}
	i, j := 0, 0
	gap := func(toI, toJ int) {
		for _, p := range pairChanged(a, b, oldMiddle[i:toI], nowMiddle[j:toJ]) {
			pairs = append(pairs, pair{p.a + int32(head+i), p.b + int32(head+j)})
		}
	}
	for _, p := range middle {
		gap(int(p.a), int(p.b))
		pairs = append(pairs, pair{p.a + int32(head), p.b + int32(head)})
		i, j = int(p.a)+1, int(p.b)+1
	}
	gap(len(oldMiddle), len(nowMiddle))
	for k := tail; k > 0; k-- {
		pairs = append(pairs, pair{int32(len(old) - k), int32(len(now) - k)})
	}
	return pairs
}

// commonElements returns a long common subsequence of a and b: the longest
// where that takes few edits, otherwise one that is anchored at the elements
// which occur once on both sides.
func commonElements(a, b []int32) []pair {
	if pairs, ok := shortestScript(a, b, maxEdits); ok {
		return pairs
	}
	var pairs []pair
	i, j := 0, 0
	between := func(toI, toJ int) {
		found, ok := trimmedScript(a[i:toI], b[j:toJ])
		if !ok {
			return
		}
		for _, p := range found {
			pairs = append(pairs, pair{p.a + int32(i), p.b + int32(j)})
		}
	}
	for _, p := range anchors(a, b) {
		between(int(p.a), int(p.b))
		pairs = append(pairs, p)
		i, j = int(p.a)+1, int(p.b)+1
	}
	between(len(a), len(b))
	return pairs
}

// trimmedScript is shortestScript for a gap.
func trimmedScript(a, b []int32) ([]pair, bool) {
	if len(a) == 0 || len(b) == 0 {
		return nil, true
	}
	return shortestScript(a, b, maxGapEdits)
}

// anchors returns the longest rising run of elements that occur exactly once in
// both (as in Bram Cohen's patience diff), in O(n log n).
func anchors(a, b []int32) []pair {
	type seen struct{ inA, inB, at int32 }
	count := make(map[int32]seen, len(b))
	for j, v := range b {
		s := count[v]
		count[v] = seen{s.inA, s.inB + 1, int32(j)}
	}
	for _, v := range a {
		if s, ok := count[v]; ok {
			s.inA++
			count[v] = s
		}
	}
	var candidates []pair
	for i, v := range a {
		if s := count[v]; s.inA == 1 && s.inB == 1 {
			candidates = append(candidates, pair{int32(i), s.at})
		}
	}
	// Longest rising subsequence of the b places: tops[k] is the candidate that
	// ends the best run of length k+1, before[c] the one in front of c.
	tops := make([]int32, 0, len(candidates))
	before := make([]int32, len(candidates))
	for c, p := range candidates {
		k, _ := slices.BinarySearchFunc(tops, p.b, func(top, b int32) int { return int(candidates[top].b - b) })
		before[c] = -1
		if k > 0 {
			before[c] = tops[k-1]
		}
		if k == len(tops) {
			tops = append(tops, int32(c))
		} else {
			tops[k] = int32(c)
		}
	}
	pairs := make([]pair, len(tops))
	if len(tops) > 0 {
		c := tops[len(tops)-1]
		for k := len(tops) - 1; k >= 0; k-- {
			pairs[k] = candidates[c]
			c = before[c]
		}
	}
	return pairs
}

// shortestScript finds a longest common subsequence by the greedy algorithm of
// Myers ("An O(ND) Difference Algorithm and Its Variations", 1986). It gives up
// when more than limit insertions and removals are needed.
func shortestScript(a, b []int32, limit int) ([]pair, bool) {
	n, m := len(a), len(b)
	limit = min(limit, n+m)
	if abs := max(n-m, m-n); abs > limit {
		return nil, false
	}
	// far[k+limit+1] is how far into a the best path on diagonal k has come.
	far := make([]int32, 2*limit+3)
	trace := make([][]int32, 0, 16) // far before each round, diagonals -d..d
	for d := 0; d <= limit; d++ {
		trace = append(trace, slices.Clone(far[limit+1-d:limit+2+d]))
		for k := -d; k <= d; k += 2 {
			x := 0
			if d > 0 {
				if left, up := int(far[limit+k]), int(far[limit+2+k]); k == -d || k != d && left < up {
					x = up
				} else {
					x = left + 1
				}
			}
			y := x - k
			for x < n && y < m && a[x] == b[y] {
				x, y = x+1, y+1
			}
			far[limit+1+k] = int32(x)
			if x == n && y == m {
				return backtrack(trace, n, m), true
			}
		}
	}
	return nil, false
}

// backtrack reads the matches out of the rounds of shortestScript.
func backtrack(trace [][]int32, n, m int) []pair {
	var pairs []pair
	x, y := n, m
	for d := len(trace) - 1; d >= 0; d-- {
		row := trace[d] // row[d+k] is diagonal k before round d
		k := x - y
		var startX, prevX, prevY int
		if d == 0 {
			startX = 0
		} else {
			at := func(k int) int {
				if k < -d || k > d {
					return -1
				}
				return int(row[d+k])
			}
			if k == -d || k != d && at(k-1) < at(k+1) {
				prevX = at(k + 1)
				startX, prevY = prevX, prevX-(k+1)
			} else {
				prevX = at(k - 1)
				startX, prevY = prevX+1, prevX-(k-1)
			}
		}
		for x > startX {
			x, y = x-1, y-1
			pairs = append(pairs, pair{int32(x), int32(y)})
		}
		x, y = prevX, prevY
	}
	slices.Reverse(pairs)
	return pairs
}

// pairChanged pairs the elements of two short runs that have nothing in common
// as a whole. In a small table it looks for the cheapest way, in a big one it
// goes by position.
func pairChanged(a, b part, old, now []int32) []pair {
	n, m := len(old), len(now)
	if n == 0 || m == 0 {
		return nil
	}
	if n*m > maxPairTable {
		pairs := make([]pair, min(n, m))
		for i := range pairs {
			pairs[i] = pair{int32(i), int32(i)}
		}
		return pairs
	}
	// cost[i][j]: the bytes that turn old[i:] into now[j:], roughly.
	cost := make([]int, (n+1)*(m+1))
	pairCost := make([]int, n*m)
	for i := n; i >= 0; i-- {
		for j := m; j >= 0; j-- {
			best := 0
			switch {
			case i == n && j == m:
			case i == n:
				best = cost[i*(m+1)+j+1] + addCost(b, now[j])
			case j == m:
				best = cost[(i+1)*(m+1)+j] + stepOverhead
			default:
				c := changeCost(part{a.src, old[i]}, part{b.src, now[j]})
				pairCost[i*m+j] = c
				best = min(c+cost[(i+1)*(m+1)+j+1],
					stepOverhead+cost[(i+1)*(m+1)+j],
					addCost(b, now[j])+cost[i*(m+1)+j+1])
			}
			cost[i*(m+1)+j] = best
		}
	}
	var pairs []pair
	for i, j := 0, 0; i < n && j < m; {
		switch best := cost[i*(m+1)+j]; best {
		case pairCost[i*m+j] + cost[(i+1)*(m+1)+j+1]:
			pairs = append(pairs, pair{int32(i), int32(j)})
			i, j = i+1, j+1
		case stepOverhead + cost[(i+1)*(m+1)+j]:
			i++
		default:
			j++
		}
	}
	return pairs
}

func addCost(b part, at int32) int { return stepOverhead + len(part{b.src, at}.text()) }

// changeCost estimates the bytes that turn one value into another, looking at
// the members of objects but no deeper.
func changeCost(a, b part) int {
	whole := stepOverhead + len(b.text())
	if a.kind() != b.kind() {
		return whole + dissimilarity
	}
	if a.kind() != kindObject {
		return whole
	}
	after := newLookup(b)
	cost := 0
	for at, end := a.first(), a.node().next; at < end && cost < whole; at = a.src.tape[at].next {
		name := unquote(part{a.src, at}.text())
		at++
		cost += stepOverhead
		if v, ok := after.take(name); ok {
			if old := (part{a.src, at}); bytes.Equal(old.text(), v.text()) {
				cost -= stepOverhead
			} else if v.kind() != kindObject && v.kind() != kindArray {
				cost += len(v.text())
			} else {
				cost += len(v.text()) / 2
			}
		}
	}
	for i, v := range after.values {
		if !after.taken[i] {
			cost += stepOverhead + len(v.text())
		}
	}
	return min(cost, whole)
}
