package credential

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one password costs to check (RFC 9106).
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultCost is 46 MiB and one pass, the first choice of the OWASP password
// storage cheat sheet for argon2id.
func DefaultCost() Cost { return Cost{Memory: 46 << 10, Time: 1, Threads: 1} }

const (
	saltBytes = 16
	keyBytes  = 32
	// maxMemory and maxTime bound what a stored hash can ask for.
	maxMemory = 1 << 20 // KiB
	maxTime   = 16
)

// Bounds of a password in bytes.
const (
	MinPassword = 8
	MaxPassword = 1024
)

var (
	// ErrPassword is a password that is too short or too long.
	ErrPassword = fmt.Errorf("a password has %d to %d bytes", MinPassword, MaxPassword)
	// ErrBusy means that too many passwords are being checked already.
	ErrBusy = errors.New("too many logins at once")
	errHash = errors.New("the stored password hash cannot be read")
)

// Hasher makes and checks password hashes, a few at a time.
type Hasher struct {
	cost  Cost
	slots chan struct{}
	queue chan struct{}
}

// NewHasher makes a Hasher that works on at most parallel passwords at once,
// and lets eight times as many wait.
func NewHasher(cost Cost, parallel int) *Hasher {
	return &Hasher{cost: cost, slots: make(chan struct{}, parallel), queue: make(chan struct{}, 9*parallel)}
}

// Hash makes the PHC string of a password. It returns ErrPassword, ErrBusy or
// the error of ctx.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if len(password) < MinPassword || len(password) > MaxPassword {
		return "", ErrPassword
	}
	var salt [saltBytes]byte
	_, _ = rand.Read(salt[:])
	p := phc{h.cost, salt[:], nil}
	if err := h.work(ctx, func() { p.key = p.derive(password) }); err != nil {
		return "", err
	}
	return p.String(), nil
}

// Digest makes a hash of something that has a password in it, as slow to guess
// as that of the password itself, and the same for the same salt of 16 bytes. It
// returns ErrBusy or the error of ctx.
func (h *Hasher) Digest(ctx context.Context, text, salt []byte) (digest []byte, err error) {
	p := phc{h.cost, salt, nil}
	err = h.work(ctx, func() { digest = p.derive(string(text)) })
	return digest, err
}

// Verify tells whether a password fits a PHC string; with none ("", an unknown
// user) it works as long and answers false.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (bool, error) {
	p := phc{h.cost, make([]byte, saltBytes), nil}
	if stored != "" {
		var err error
		if p, err = parsePHC(stored); err != nil {
			return false, err
		}
	}
	if len(password) > MaxPassword {
		return false, nil
	}
	fits := false
	err := h.work(ctx, func() { fits = subtle.ConstantTimeCompare(p.derive(password), p.key) == 1 })
	return fits && stored != "", err
}

func (h *Hasher) work(ctx context.Context, f func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return ErrBusy
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f()
	return nil
}

// phc is a password hash in the form of the PHC string format.
type phc struct {
	cost Cost
	salt []byte
	key  []byte
}

func (p phc) derive(password string) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.cost.Time, p.cost.Memory, p.cost.Threads, keyBytes)
}

func (p phc) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cost.Memory, p.cost.Time, p.cost.Threads, enc.EncodeToString(p.salt), enc.EncodeToString(p.key))
}

func parsePHC(text string) (phc, error) {
	var p phc
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errHash
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.cost.Memory, &p.cost.Time, &p.cost.Threads); err != nil {
		return p, fmt.Errorf("%w: %w", errHash, err)
	}
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(part[4])
	p.key, err2 = base64.RawStdEncoding.DecodeString(part[5])
	c := p.cost
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.key) != keyBytes ||
		c.Memory < 8 || c.Memory > maxMemory || c.Time < 1 || c.Time > maxTime || c.Threads < 1 {
		return p, errHash
	}
	return p, nil
}
