package credential_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/fsm"
)

var cheap = credential.Cost{Memory: 64, Time: 1, Threads: 1}

func TestCredentialsAreReadAsTheyWereWritten(t *testing.T) {
	for _, ref := range []credential.Ref{
		{ID: credential.NewID()}, {ID: "a1", At: fsm.Position{Epoch: 1, Index: 77}},
		{ID: "a1", At: fsm.Position{Epoch: 1 << 60, Index: 1<<64 - 1}},
	} {
		secret := credential.NewSecret()
		for name, c := range map[string]struct {
			text  string
			parse func(string) (credential.Ref, credential.Secret, error)
		}{
			"session": {credential.Session(ref, secret), credential.ParseSession},
			"token":   {credential.Token(ref, secret), credential.ParseToken},
			"enroll":  {credential.Enroll(ref, secret), credential.ParseEnroll},
		} {
			got, read, err := c.parse(c.text)
			if err != nil || got != ref || !read.Fits(secret.Hash()) {
				t.Errorf("%s %s: %v, %v", name, ref, got, err)
			}
		}
	}
}

func TestASecretFitsItsOwnHashAlone(t *testing.T) {
	a, b := credential.NewSecret(), credential.NewSecret()
	if a.Fits(b.Hash()) || a.Fits(nil) || a.Fits([]byte{}) {
		t.Error("a secret fits what is not its hash")
	}
}

func TestASecretDoesNotPrintItself(t *testing.T) {
	secret := credential.NewSecret()
	text := strings.TrimPrefix(credential.Token(credential.Ref{ID: "x"}, secret), "drover_x_")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if strings.Contains(fmt.Sprintf(format, secret), text) {
			t.Errorf("%s shows the secret", format)
		}
	}
}

func TestWhatIsMalformedIsRefused(t *testing.T) {
	good := credential.Token(credential.Ref{ID: "abc", At: fsm.Position{Epoch: 1, Index: 2}}, credential.NewSecret())
	for _, text := range []string{
		"", "drover", "drover_", "drover_abc", good + "x", good[:len(good)-1], "x" + good, strings.Replace(good, "abc", "a_c", 1),
		strings.Replace(good, "abc", "ABC", 1), strings.Replace(good, "-1-2", "-1", 1), strings.Replace(good, "-1-2", "-1-!", 1), good + "=",
		strings.Repeat("a", 300),
	} {
		if _, _, err := credential.ParseToken(text); !errors.Is(err, credential.ErrMalformed) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(credential.Token(credential.Ref{ID: "abc", At: fsm.Position{Epoch: 1, Index: 2}}, credential.NewSecret()))
	f.Add("drover_a-b-c_d")
	f.Fuzz(func(t *testing.T, text string) {
		ref, secret, err := credential.ParseToken(text)
		if err != nil {
			return
		}
		again, _, err := credential.ParseToken(credential.Token(ref, secret))
		if err != nil || again != ref {
			t.Errorf("%q: %v, %v", text, again, err)
		}
	})
}

func TestAPasswordFitsItsHash(t *testing.T) {
	h := credential.NewHasher(cheap, 1)
	stored, err := h.Hash(t.Context(), "correct horse")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("%s, %v", stored, err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct hors": false, "": false, strings.Repeat("x", 5000): false} {
		if got, err := h.Verify(t.Context(), stored, password); got != want || err != nil {
			t.Errorf("%.20q: %v, %v", password, got, err)
		}
	}
	other, err := h.Hash(t.Context(), "correct horse")
	if err != nil || other == stored {
		t.Errorf("two hashes of one password are equal (%v)", err)
	}
	if got, err := h.Verify(t.Context(), "", ""); got || err != nil {
		t.Errorf("an unknown user: %v, %v", got, err)
	}
}

// The parameters are those of the stored hash, so that they can be raised.
func TestAHashOfAnotherCostStillFits(t *testing.T) {
	old, err := credential.NewHasher(cheap, 1).Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	got, err := credential.NewHasher(credential.Cost{Memory: 128, Time: 2, Threads: 2}, 1).Verify(t.Context(), old, "correct horse")
	if !got || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAStoredHashCannotAskForAnything(t *testing.T) {
	h := credential.NewHasher(cheap, 1)
	stored, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"m=64", "m=999999999"}, {"t=1", "t=99999"}, {"p=1", "p=0"}, {"argon2id", "argon2i"}, {"v=19", "v=16"}, {"m=64,", ""}, {"$m", "m"}} {
		if got, err := h.Verify(t.Context(), strings.Replace(stored, change[0], change[1], 1), "correct horse"); got || err == nil {
			t.Errorf("%s → %s: %v, %v", change[0], change[1], got, err)
		}
	}
}

func TestPasswordsAreNeitherShortNorEndless(t *testing.T) {
	h := credential.NewHasher(cheap, 1)
	for _, password := range []string{"", "1234567", strings.Repeat("x", 1025)} {
		if _, err := h.Hash(t.Context(), password); !errors.Is(err, credential.ErrPassword) {
			t.Errorf("%d bytes: %v", len(password), err)
		}
	}
}

// A login flood takes the memory of a few passwords, and no more wait than a
// few: the others are turned away at once.
func TestOnlySoManyPasswordsAreWorkedOnAtOnce(t *testing.T) {
	h := credential.NewHasher(credential.Cost{Memory: 32 << 10, Time: 2, Threads: 1}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 40)
	for range cap(results) {
		go func() {
			_, err := h.Verify(ctx, "", "x")
			results <- err
		}()
	}
	busy := 0
	for i := range cap(results) {
		if i == cap(results)-12 { // the rest waits or works: all others have an answer
			cancel()
		}
		if errors.Is(<-results, credential.ErrBusy) {
			busy++
		}
	}
	cancel()
	if busy == 0 {
		t.Error("nobody was turned away")
	}
}
