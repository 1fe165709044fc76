package main

import (
	"log/slog"
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"furrow/db/dbtest"
	"furrow/jobs"
)

// TestAlertFigures: the operators' open alerts are counted by kind, which tells of
// no machine and no user.
func TestAlertFigures(t *testing.T) {
	t.Parallel()
	store, pool := dbtest.Store(t)
	queue, err := jobs.New(pool, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(t.Context(), `
with ida as (insert into users (email, password_hash) values ('ida@example.com', '') returning id)
insert into alerts (key, user_id, severity, sentence, advice, path, opened_at, resolved_at)
select key, case when whose = 'user' then id end, 'alert', 's', 'a', '/', case when state <> 'young' then now() end, case when state = 'over' then now() end
from ida, (values ('disk:host:/data', '', 'open'), ('disk:host:/', '', 'open'), ('revoked:12', '', 'open'), ('revoked:12:user', 'user', 'open'),
    ('unsent', '', 'over'), ('queue', '', 'young')) as a (key, whose, state)`)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newFigures(store, queue, slog.New(slog.DiscardHandler)))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := map[string]float64{}, 0.
	for _, family := range families {
		for _, m := range family.GetMetric() {
			switch family.GetName() {
			case "furrow_alerts_open":
				got[m.GetLabel()[0].GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			case "furrow_figures_ok":
				ok = m.GetGauge().GetValue()
			}
		}
	}
	if want := map[string]float64{"kind disk": 2, "kind revoked": 1}; !maps.Equal(got, want) || ok != 1 {
		t.Errorf("open alerts %v, figures ok %v; want %v", got, ok, want)
	}
}
