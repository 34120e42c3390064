package store

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// ErrDamaged is returned for a file whose content is not what was written.
var ErrDamaged = errors.New("damaged on disk")

// digest is the hash of a file's bytes, as noted in a header.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// seal puts a checksum line before a text, so that a flipped bit is noticed.
func seal(text []byte) []byte {
	return append([]byte(digest(text)+"\n"), text...)
}

func unseal(b []byte) ([]byte, error) {
	sum, text, ok := strings.Cut(string(b), "\n")
	if !ok || sum != digest([]byte(text)) {
		return nil, ErrDamaged
	}
	return []byte(text), nil
}

// Attr is how a file is created. UID and GID below zero leave the owner alone.
type Attr struct {
	Mode     fs.FileMode
	UID, GID int
}

func private() Attr { return Attr{Mode: 0o600, UID: -1, GID: -1} }

// WriteFile creates name, which must not exist, and syncs its content; the
// name itself is durable once its directory is synced.
func WriteFile(root *os.Root, name string, content []byte, a Attr) (err error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, a.Mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Chmod(a.Mode); err != nil { // the umask may have taken bits
		return err
	}
	if a.UID >= 0 || a.GID >= 0 {
		if err := f.Chown(a.UID, a.GID); err != nil {
			return err
		}
	}
	return f.Sync()
}

// SyncDir makes the names in a directory durable.
func SyncDir(root *os.Root, name string) (err error) {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// Replace writes a small file so that a crash leaves the old or the new text.
// Only the owner may read it. The caller is the only writer of that name.
func Replace(root *os.Root, name string, content []byte) error {
	temp := name + ".new"
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := WriteFile(root, temp, content, private()); err != nil {
		return err
	}
	if err := root.Rename(temp, name); err != nil {
		return err
	}
	return SyncDir(root, path.Dir(name))
}

// ReadFile reads a file with a bound, so that a file that somebody else filled
// does not fill the memory too.
func ReadFile(root *os.Root, name string, limit int64) (content []byte, modified time.Time, err error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, time.Time{}, fmt.Errorf("%s: no regular file of at most %d bytes", name, limit)
	}
	content, err = io.ReadAll(io.LimitReader(f, limit))
	return content, info.ModTime(), err
}

func exists(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
}
