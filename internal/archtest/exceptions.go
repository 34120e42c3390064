package archtest

// exceptions is the one list of what may stay as it is. It only shrinks: an entry that is no longer
// needed fails the test.
func exceptions() []Exception {
	return nil
}
