package document

import (
	"bytes"
	"strconv"
)

// exact tells whether the shortest text of the double nearest to a JSON number
// literal has the same decimal value as the literal.
func exact(literal []byte) bool {
	digits, exp := decimal(literal)
	if len(digits) == 0 {
		return true // zero, however it is written
	}
	// Up to 15 significant digits always survive a double in its normal range.
	if len(digits) <= 15 && exp > -290 && exp < 290 {
		return true
	}
	f, err := strconv.ParseFloat(string(literal), 64)
	if err != nil {
		return false
	}
	var buf [32]byte
	shortest, shortestExp := decimal(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
	return exp == shortestExp && bytes.Equal(digits, shortest)
}

// decimal returns the significant digits of a JSON number literal, without
// zeros at either end, and the exponent of ten by which 0.digits is multiplied.
// Zero has no digits. Exponents beyond any double are cut short.
func decimal(literal []byte) (digits []byte, exp int) {
	if literal[0] == '-' {
		literal = literal[1:]
	}
	mantissa := literal
	if e := bytes.IndexAny(literal, "eE"); e >= 0 {
		mantissa = literal[:e]
		exp = clampedInt(literal[e+1:])
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte{'.'})
	whole = bytes.TrimLeft(whole, "0")
	exp += len(whole)
	switch {
	case len(fraction) == 0:
		digits = whole
	case len(whole) == 0:
		digits = bytes.TrimLeft(fraction, "0")
		exp -= len(fraction) - len(digits)
	default:
		digits = append(append(make([]byte, 0, len(mantissa)), whole...), fraction...)
	}
	return bytes.TrimRight(digits, "0"), exp
}

// clampedInt reads a signed run of digits and stops counting at 10^8, which is
// far beyond any text and fits into 32 bits ten times.
func clampedInt(s []byte) int {
	negative := false
	if s[0] == '+' || s[0] == '-' {
		negative = s[0] == '-'
		s = s[1:]
	}
	n := 0
	for _, c := range s {
		if n = n*10 + int(c-'0'); n > 1e8 {
			n = 1e8
		}
	}
	if negative {
		return -n
	}
	return n
}

// overflows tells whether a number literal is beyond the range of a double.
func overflows(literal []byte) bool {
	_, err := strconv.ParseFloat(string(literal), 64)
	return err != nil
}
