package handlers

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// maxSilent is how many connections may be open without a request under way.
// Each takes about 20 kB.
const maxSilent = 1000

// silentConns are the connections that have no request under way: those that
// are idle, and those that have not sent a whole header yet. When there are too
// many, the one is closed that has been silent for the longest time, so that
// there is always room for somebody new. Browsers open another when they need
// one.
type silentConns struct {
	most int

	mu    sync.Mutex
	order *list.List // of net.Conn, the longest silent first
	at    map[net.Conn]*list.Element
}

func newSilentConns(most int) *silentConns {
	return &silentConns{most: most, order: list.New(), at: map[net.Conn]*list.Element{}}
}

// changed is what a server calls when a connection comes into a state.
func (s *silentConns) changed(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.at[conn]; known != nil {
		s.order.Remove(known)
		delete(s.at, conn)
	}
	if state != http.StateNew && state != http.StateIdle {
		return
	}
	s.at[conn] = s.order.PushBack(conn)
	if s.order.Len() <= s.most {
		return
	}
	longest, _ := s.order.Remove(s.order.Front()).(net.Conn)
	delete(s.at, longest)
	if secure, ok := longest.(*tls.Conn); ok {
		longest = secure.NetConn() // a farewell could take its time
	}
	_ = longest.Close()
}
