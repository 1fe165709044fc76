package db

import (
	"context"
	"fmt"
	"time"

	"furrow/ledger"
)

// WriteFigure is how many writes are in a state, and how old the oldest of them is.
type WriteFigure struct {
	State  ledger.State
	Count  int
	Oldest time.Duration
}

// WriteFigures measures the writes of everybody that are not over. States without any are left out.
func (s *Store) WriteFigures(ctx context.Context) ([]WriteFigure, error) {
	rows, err := s.q.FiguresWrites(ctx)
	if err != nil {
		return nil, fmt.Errorf("measure the writes: %w", err)
	}
	figures := make([]WriteFigure, len(rows))
	for i, r := range rows {
		figures[i] = WriteFigure{State: ledger.State(r.State), Count: int(r.Writes), Oldest: seconds(r.OldestSeconds)}
	}
	return figures, nil
}

// ConnectionFigures counts connections by state. States without any are left out.
func (s *Store) ConnectionFigures(ctx context.Context) (map[ledger.ConnectionState]int, error) {
	rows, err := s.q.FiguresConnections(ctx)
	if err != nil {
		return nil, fmt.Errorf("count the connections: %w", err)
	}
	figures := make(map[ledger.ConnectionState]int, len(rows))
	for _, r := range rows {
		figures[ledger.ConnectionState(r.State)] = int(r.Connections)
	}
	return figures, nil
}

// AlertFigures counts the operators' open alerts by kind ("disk"). Kinds without any are left out.
func (s *Store) AlertFigures(ctx context.Context) (map[string]int, error) {
	rows, err := s.q.FiguresAlerts(ctx)
	if err != nil {
		return nil, fmt.Errorf("count the alerts: %w", err)
	}
	figures := make(map[string]int, len(rows))
	for _, r := range rows {
		figures[r.Kind] = int(r.Alerts)
	}
	return figures, nil
}
