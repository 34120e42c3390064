// Package discovery asks the sources that an administrator named which instances
// there are: names in DNS (A, AAAA and SRV, so a headless service of Kubernetes
// too), a service in Consul's catalogue, a file.
//
// Find looks once and gives the whole list or an error, never a part of it: what
// was found before stays as it is when a look fails. An answer without any
// instance, a name that does not exist included, is an error as well, ErrEmpty:
// a resolver that was just started or a catalogue that was wiped says the same,
// and must not make a fleet look gone. So an instance is missing only when its
// source still knows others.
//
// Labels come from the source's template and from its file, which are written by
// administrators. What a catalogue says of a service is not taken for a label,
// since whoever registers there would choose what an instance receives.
//
// It is not for: the interval and its jitter, keeping or marking what was found,
// health (all by the leader's duty in package push), or calling instances
// (package push/instance).
//
// A Finder has no goroutine, no lock and no state of its own; it is safe for
// concurrent use and returns within Config.Timeout. Connections belong to the
// instance.Client that it was given.
package discovery
