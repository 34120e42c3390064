package version

// Version is the release that this program was built from, as `git describe` names it. The linker
// sets it (see the Makefile); a plain `go build` leaves "dev".
var Version = "dev"
