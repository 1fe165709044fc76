package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saveDelay gathers changes before the state file is written.
const saveDelay = 150 * time.Millisecond

// saver writes the state file.
type saver struct {
	mu    sync.Mutex
	timer *time.Timer // set while a save is due

	writing sync.Mutex // one writer at a time
}

// loadState reads a state file; nil if there is none.
func loadState(path string) (*world, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read sandbox state: %w", err)
	}
	w := blankWorld()
	if err := json.Unmarshal(text, w); err != nil {
		return nil, fmt.Errorf("read sandbox state %s: %w", path, err)
	}
	for _, a := range w.Accounts {
		a.index()
	}
	return w, nil
}

// changed makes a save due.
func (s *Server) changed() {
	if s.stateFile == "" {
		return
	}
	s.saver.mu.Lock()
	defer s.saver.mu.Unlock()
	if s.saver.timer == nil {
		s.saver.timer = time.AfterFunc(saveDelay, func() {
			if err := s.saveNow(); err != nil {
				s.log.Error("save sandbox state", "error", err)
			}
		})
	}
}

// saveNow writes the state file if a save is due.
func (s *Server) saveNow() error {
	s.saver.writing.Lock()
	defer s.saver.writing.Unlock()
	s.saver.mu.Lock()
	due := s.saver.timer != nil
	if due {
		s.saver.timer.Stop()
		s.saver.timer = nil
	}
	s.saver.mu.Unlock()
	if !due {
		return nil
	}
	s.mu.RLock()
	text, err := json.Marshal(s.world)
	s.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("write sandbox state: %w", err)
	}
	return writeFile(s.stateFile, text)
}

// writeFile replaces a file in one step.
func writeFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write sandbox state: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write sandbox state: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write sandbox state: %w", err)
	}
	return nil
}
