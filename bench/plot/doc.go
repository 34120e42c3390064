// Package plot draws measured curves as SVG: panels side by side, with axes,
// units, a legend, and the spread of each value. A file stands for itself: it
// needs no font and no script, and follows the light or dark scheme of whoever
// looks at it (CSS Media Queries 5, prefers-color-scheme).
//
// It is not for charts of any kind: only for lines over one number. It is a
// leaf of pure functions, starts no goroutine and has no lock.
package plot
