package fleet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/droverhq/drover/wire"
)

// enrollAtOnce is the number of enrolments that a process has on the way.
const enrollAtOnce = 32

// identity is what the enrolment tells: the same for all nodes.
type identity struct {
	Cluster string   `json:"cluster"`
	Keys    []string `json:"keys"`

	pinned []ed25519.PublicKey
}

func (id *identity) pin() error {
	id.pinned = nil
	for _, text := range id.Keys {
		key, err := wire.FromBase64(text)
		if err != nil {
			return err
		}
		id.pinned = append(id.pinned, key)
	}
	if id.Cluster == "" || len(id.pinned) == 0 {
		return errors.New("the answer to an enrolment names no cluster or no key")
	}
	return nil
}

func nodeName(prefix string, number int) string { return fmt.Sprintf("%s-%05d", prefix, number) }

// nodeKey is the same in every run, so that a node that was enrolled needs
// nothing of its own on a disk.
func nodeKey(prefix string, number int) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("drover bench\x00" + nodeName(prefix, number)))
	return ed25519.NewKeyFromSeed(seed[:])
}

// enroll registers the nodes that are not registered yet, each with the token
// of its turn, and returns how many that were.
func (f *fleet) enroll(ctx context.Context, tokens []string) (int, error) {
	done, err := f.loadEnrolled()
	if err != nil {
		return 0, err
	}
	list, err := os.OpenFile(filepath.Join(f.setup.Dir, fmt.Sprintf("enrolled-%d-%d.txt", f.setup.From, f.setup.To)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer list.Close()
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		failed error
		count  int
	)
	todo := make(chan int)
	for range enrollAtOnce {
		group.Go(func() {
			web, of := f.httpClient(f.setup.From), f.setup.From/perSource
			for i := range todo {
				if i/perSource != of {
					web.CloseIdleConnections()
					web, of = f.httpClient(i), i/perSource
				}
				id, err := f.enrollOne(ctx, web, tokens[i%len(tokens)], i)
				mu.Lock()
				if err == nil && f.identity.Cluster == "" {
					err = f.keepIdentity(id)
				}
				if err == nil {
					count++
					_, err = fmt.Fprintln(list, i)
				}
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
			web.CloseIdleConnections()
		})
	}
	for i := f.setup.From; i < f.setup.To; i++ {
		mu.Lock()
		stop := failed != nil
		mu.Unlock()
		if stop {
			break
		}
		if !done[i] {
			todo <- i
		}
	}
	close(todo)
	group.Wait()
	return count, failed
}

// enrollTries bounds the attempts of one node: a controller may be busy.
const enrollTries = 10

func (f *fleet) enrollOne(ctx context.Context, web *http.Client, token string, number int) (identity, error) {
	key := nodeKey(f.setup.Prefix, number)
	in := wire.EnrollRequest{Token: token, Node: nodeName(f.setup.Prefix, number), PublicKey: wire.Base64(key.Public().(ed25519.PublicKey))}
	in.Proof = wire.Sign(key, wire.EnrollText(token, in.Node, in.PublicKey))
	body, err := json.Marshal(in)
	if err != nil {
		return identity{}, err
	}
	url := f.setup.Addresses[number%len(f.setup.Addresses)] + "/agent/v1/enroll"
	for try := 1; ; try++ {
		id, status, err := post(ctx, web, url, body)
		if err == nil {
			return id, nil
		}
		if try == enrollTries || ctx.Err() != nil || status != 0 && status != http.StatusTooManyRequests && status < 500 {
			return id, fmt.Errorf("enrolment of %s: %w", in.Node, err)
		}
		pause(ctx, time.Second)
	}
}

func post(ctx context.Context, web *http.Client, url string, body []byte) (identity, int, error) {
	var id identity
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return id, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := web.Do(req)
	if err != nil {
		return id, 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return id, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return id, resp.StatusCode, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return id, resp.StatusCode, json.Unmarshal(text, &id)
}

const identityFile = "identity.json"

func (f *fleet) keepIdentity(id identity) error {
	if err := id.pin(); err != nil {
		return err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return err
	}
	f.identity = id
	return os.WriteFile(filepath.Join(f.setup.Dir, identityFile), text, 0o600)
}

// loadEnrolled reads which nodes an earlier run has enrolled.
func (f *fleet) loadEnrolled() (map[int]bool, error) {
	done := map[int]bool{}
	text, err := os.ReadFile(filepath.Join(f.setup.Dir, identityFile))
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &f.identity); err != nil {
		return nil, err
	}
	if err := f.identity.pin(); err != nil {
		return nil, err
	}
	lists, err := filepath.Glob(filepath.Join(f.setup.Dir, "enrolled-*.txt"))
	if err != nil {
		return nil, err
	}
	for _, name := range lists {
		list, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for s := bufio.NewScanner(bytes.NewReader(list)); s.Scan(); {
			if n, err := strconv.Atoi(s.Text()); err == nil {
				done[n] = true
			}
		}
	}
	return done, nil
}
