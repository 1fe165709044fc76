package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
)

// Fairness: one user pushes many lines, another one a single line now and then.
const (
	manyLines   = 500
	singleLines = 10
	fairLimit   = 3 * time.Second
)

// pusher is a user of the sandbox with rows to push.
type pusher struct {
	userID, connectionID int64
	token                ledger.Secret
	harvestUser          int64
	rows                 []planner.RowID
}

// pusher makes a user and connects them.
func (p *program) pusher(email string, token ledger.Secret, harvestUser int64) *pusher {
	p.tb.Helper()
	u := &pusher{token: token, harvestUser: harvestUser}
	var err error
	if u.userID, err = p.store.CreateUser(p.ctx(), email, "", db.RoleUser); err != nil {
		p.tb.Fatal(err)
	}
	err = p.store.InTx(p.ctx(), func(tx *db.Tx) error {
		u.connectionID, err = tx.Connect(p.ctx(), u.userID, token, ledger.Account{
			AccountID: sandboxtest.AccountID, UserID: harvestUser, TimeZone: "UTC", WeekStart: time.Monday, Clock: "24h", DurationFormat: planner.HoursMinutes,
		})
		return err
	})
	if err != nil {
		p.tb.Fatal(err)
	}
	assignments, err := p.harvest.Client(p.credentials(u), harvest.Background).Assignments(p.ctx())
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := p.store.Mirror(ledger.Run{UserID: u.userID}).SaveAssignments(p.ctx(), assignments); err != nil {
		p.tb.Fatal(err)
	}
	_, list, err := p.store.WeekPage(p.ctx(), u.userID, p.week)
	if err != nil {
		p.tb.Fatal(err)
	}
	for _, a := range list {
		u.rows = append(u.rows, a.ID)
	}
	return u
}

func (p *program) credentials(u *pusher) harvest.Credentials {
	return harvest.Credentials{
		Tokens: ledger.StaticToken(u.token), AccountID: sandboxtest.AccountID, UserID: u.harvestUser, ConnectionID: u.connectionID,
	}
}

// push plans and pushes n lines of a week.
func (p *program) push(u *pusher, week planner.Week, n int) {
	p.tb.Helper()
	ctx := p.ctx()
	err := p.store.InTx(ctx, func(tx *db.Tx) error {
		connectionID, state, err := tx.LockConnection(ctx, u.userID)
		if err != nil {
			return err
		}
		for i := range n {
			cell := planner.CellID{RowID: u.rows[i/planner.DaysInWeek], Date: week.Day(i % planner.DaysInWeek)}
			minutes := planner.Minutes(60)
			if _, err := tx.EditCell(ctx, u.userID, db.CellEdit{Cell: cell, Planned: minutes, MutationID: rand.Text(), Seen: 1 << 60}); err != nil {
				return err
			}
		}
		plan, err := tx.WeekPlan(ctx, u.userID, week)
		if err != nil {
			return err
		}
		lines := slices.DeleteFunc(plan.PushLines(nil, week.End()), func(l ledger.Line) bool { return !l.Sendable() })
		if len(lines) != n {
			return fmt.Errorf("%d lines to push, want %d", len(lines), n)
		}
		if err := tx.AddWrites(ctx, u.userID, connectionID, state, plan, lines, rand.Text()); err != nil {
			return err
		}
		return p.queue.Push(ctx, tx, connectionID)
	})
	if err != nil {
		p.tb.Fatal(err)
	}
}

// BenchmarkFairness times single lines of one user, from the click's transaction to the answer of the sandbox, while two
// processes work through hundreds of another user, at the pace that Harvest allows.
func BenchmarkFairness(b *testing.B) {
	p := start(b, options{seed: "demo"})
	ida := p.pusher("ida.many@example.com", sandboxtest.Token, sandboxtest.UserID)
	jonas := p.pusher("jonas@example.com", sandboxtest.MemberToken, sandboxtest.MemberUserID)
	work := &jobs.Work{
		Store: p.store, CellURL: func(planner.Date) string { return "http://localhost" },
		Remote: func(_ context.Context, connectionID int64, _ jobs.Urgency) (ledger.Remote, error) {
			u := ida
			if connectionID == jonas.connectionID {
				u = jonas
			}
			return p.harvest.Client(p.credentials(u), harvest.Interactive), nil
		},
		StartPull: func(context.Context, int64) error { return nil },
	}
	week := planner.Week{Start: planner.NewDate(2020, time.January, 6)}
	for left := manyLines; left > 0; week = week.Next() {
		n := min(left, planner.DaysInWeek*len(ida.rows))
		p.push(ida, week, n)
		left -= n
	}
	for range 2 {
		pool, err := db.Open(p.ctx(), p.url, queueConns)
		if err != nil {
			b.Fatal(err)
		}
		queue, err := jobs.New(pool, work, quiet())
		if err != nil {
			b.Fatal(err)
		}
		if err := queue.Start(p.ctx()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = queue.Stop(p.ctx())
			pool.Close()
		})
	}
	once(b, func() {
		latencies := make([]time.Duration, singleLines)
		for i := range latencies {
			p.push(jonas, week, 1)
			week = week.Next()
			began := time.Now()
			for queryOne[int](p, "select count(*) from writes where user_id = $1 and state <> 'done'", jonas.userID) > 0 {
				if time.Since(began) > time.Minute {
					b.Fatal("a single line is not sent")
				}
				time.Sleep(time.Millisecond)
			}
			latencies[i] = time.Since(began)
		}
		waiting := queryOne[int](p, "select count(*) from writes where user_id = $1 and state <> 'done'", ida.userID)
		if waiting == 0 {
			b.Fatal("the other user's lines were all sent before")
		}
		slowest := slices.Max(latencies)
		b.ReportMetric(milliseconds(slowest), "slowest-ms")
		table.add(fmt.Sprintf("one line beside %d of another user, slowest of %d", manyLines, singleLines), millis(slowest), "", "", "<= 3 s", slowest <= fairLimit)
	})
}
