package document

import (
	"strconv"
	"strings"
)

// parsePointer splits an RFC 6901 pointer into its reference tokens.
func parsePointer(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, &Error{CodeBadPointer, "", "the pointer " + quoteClip(pointer) + " does not begin with a slash"}
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, token := range tokens {
		if !strings.Contains(token, "~") {
			continue
		}
		rest := strings.ReplaceAll(strings.ReplaceAll(token, "~0", ""), "~1", "")
		if strings.Contains(rest, "~") {
			return nil, &Error{CodeBadPointer, "", "the pointer " + quoteClip(pointer) + " has a ~ that is not ~0 or ~1"}
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return tokens, nil
}

// appendToken appends "/" and a reference token, escaped.
func appendToken(dst, token []byte) []byte {
	dst = append(dst, '/')
	for _, c := range token {
		switch c {
		case '~':
			dst = append(dst, '~', '0')
		case '/':
			dst = append(dst, '~', '1')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// arrayIndex reads an index of RFC 6901: digits without a leading zero.
func arrayIndex(token string) (int, bool) {
	if token == "" || len(token) > 9 || len(token) > 1 && token[0] == '0' {
		return 0, false
	}
	n := 0
	for i := 0; i < len(token); i++ {
		if token[i] < '0' || token[i] > '9' {
			return 0, false
		}
		n = n*10 + int(token[i]-'0')
	}
	return n, true
}

func quoteClip(s string) string { return string(appendQuoted(nil, clip(s, 80))) }

// pointerTo returns the pointer to the value at a place of the tape.
func pointerTo(text []byte, tape []node, at int) string {
	var pointer []byte
	target := int32(at)
	for here := int32(0); here != target; {
		child, index := here+1, 0
		object := tape[here].kind == kindObject
		for {
			name := child
			if object {
				child++
			}
			if target < tape[child].next {
				if object {
					n := tape[name]
					pointer = appendToken(pointer, unquote(text[n.start:n.end]))
				} else {
					pointer = strconv.AppendInt(append(pointer, '/'), int64(index), 10)
				}
				break
			}
			child = tape[child].next
			index++
		}
		here = child
	}
	return string(pointer)
}
