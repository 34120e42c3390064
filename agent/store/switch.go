package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
)

// Switch makes a staged generation the one that current names. Until Finish it
// is on trial, and Running stays what it was.
func (s *Store) Switch(g *Generation) error {
	return s.point(g.Number, "switch")
}

// point replaces the symlink by rename; 0 removes it.
func (s *Store) point(n int, why string) error {
	if err := s.step(why + ": link"); err != nil {
		return err
	}
	if n == 0 {
		if err := s.root.Remove(current); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else {
		temp := current + ".new"
		if err := s.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.root.Symlink((&Generation{Number: n}).files(), temp); err != nil {
			return err
		}
		if err := s.step(why + ": rename"); err != nil {
			return err
		}
		if err := s.root.Rename(temp, current); err != nil {
			return err
		}
	}
	if err := s.step(why + ": sync"); err != nil {
		return err
	}
	return SyncDir(s.root, ".")
}

// Finish marks a generation good: it passed everything, and runs.
func (s *Store) Finish(g *Generation) error {
	if err := s.markWith(g, markGood, nil); err != nil {
		// It may be there and not be durable: better that it is not there.
		if gone := s.root.Remove(g.mark(markGood)); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	s.running = g
	return nil
}

// good tells whether a generation passed everything. One that is being taken
// back did not, even where the mark could be made and not be synced.
func (s *Store) good(g *Generation) bool {
	return exists(s.root, g.mark(markGood)) && !exists(s.root, g.mark(markUndoing)) && !exists(s.root, g.mark(markFailed))
}

// Switched tells whether current names g, or did before it was taken back.
func (s *Store) Switched(g *Generation) bool {
	return s.linked() == g || exists(s.root, g.mark(markUndoing))
}

// Revert points current back to what ran before g. The mark comes first, so
// that a start after a crash knows that hooks may have seen g.
func (s *Store) Revert(g *Generation) error {
	if err := s.markWith(g, markUndoing, nil); err != nil {
		return err
	}
	return s.point(g.Previous, "revert")
}

// Fail marks a generation as tried and taken back; record says why and is kept
// until Told.
func (s *Store) Fail(g *Generation, record []byte) error {
	return s.markWith(g, markFailed, record)
}

// Told notes that a controller has the record of a failed generation.
func (s *Store) Told(g *Generation) error { return s.markWith(g, markTold, nil) }

// ToldOf is Told for a number; a generation that is gone needs no mark.
func (s *Store) ToldOf(n int) error {
	if g := s.all[n]; g != nil {
		return s.Told(g)
	}
	return nil
}

func (s *Store) markWith(g *Generation, mark string, content []byte) error {
	if err := s.step("mark: " + mark); err != nil {
		return err
	}
	var err error
	if content == nil {
		err = WriteFile(s.root, g.mark(mark), nil, private())
	} else {
		err = Replace(s.root, g.mark(mark), seal(content))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("mark generation %d %s: %w", g.Number, mark, err)
	}
	if err := s.step("mark: sync " + mark); err != nil {
		return err
	}
	return SyncDir(s.root, g.dir())
}

// Unfinished is the generation that a crash left without a verdict, nil for
// none. It is called at the start, before anything is staged.
func (s *Store) Unfinished() *Generation {
	var found *Generation
	for _, g := range s.all {
		if s.good(g) || exists(s.root, g.mark(markFailed)) {
			continue
		}
		if found == nil || g.Number > found.Number {
			found = g
		}
	}
	return found
}

// Untold is the latest failed generation whose record no controller has, with
// the record; nil for none.
func (s *Store) Untold() (*Generation, []byte) {
	var found *Generation
	for _, g := range s.all {
		if exists(s.root, g.mark(markFailed)) && (found == nil || g.Number > found.Number) {
			found = g
		}
	}
	if found == nil || exists(s.root, found.mark(markTold)) {
		return nil, nil
	}
	sealed, _, err := ReadFile(s.root, found.mark(markFailed), 1<<20)
	if err != nil {
		return nil, nil
	}
	record, err := unseal(sealed)
	if err != nil {
		return nil, nil
	}
	return found, record
}

// Prune removes the generations that nothing needs: it keeps the running one,
// the one before it, and the one with the highest position, tried or not.
func (s *Store) Prune() error {
	keep := map[int]bool{}
	if s.running != nil {
		keep[s.running.Number] = true
		if before := s.finished(s.all[s.running.Previous]); before != nil {
			keep[before.Number] = true
		}
	}
	var highest *Generation
	for _, g := range s.all {
		if highest == nil || g.Position.Compare(highest.Position) > 0 ||
			g.Position.Compare(highest.Position) == 0 && g.Number > highest.Number {
			highest = g
		}
	}
	if highest != nil {
		keep[highest.Number] = true
	}
	keep[s.linkedNumber()] = true
	entries, err := fs.ReadDir(s.root.FS(), generations)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err == nil && keep[n] {
			continue
		}
		if err := s.remove(e.Name()); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		delete(s.all, n)
	}
	return failed
}

// remove takes the name away first: half a generation must not look like one.
func (s *Store) remove(name string) error {
	if err := s.step("prune"); err != nil {
		return err
	}
	from, temp := path.Join(generations, name), path.Join(generations, ".old-"+name)
	if err := s.root.Rename(from, temp); err != nil {
		return err
	}
	return s.root.RemoveAll(temp)
}
