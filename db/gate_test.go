package db_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/ledger"
)

func TestGate(t *testing.T) {
	t.Parallel()

	type testBundle struct {
		pool *pgxpool.Pool
		gate *db.Gate
	}
	setup := func(t *testing.T) *testBundle {
		t.Helper()
		pool := dbtest.New(t)
		return &testBundle{pool: pool, gate: db.NewGate(pool)}
	}
	general := func(connection int64) ledger.GateRequest {
		return ledger.GateRequest{ConnectionID: connection, Class: ledger.GateGeneral}
	}
	admit := func(t *testing.T, b *testBundle, request ledger.GateRequest) ledger.GatePass {
		t.Helper()
		pass, err := b.gate.Admit(t.Context(), request)
		if err != nil {
			t.Fatalf("admit: %v", err)
		}
		return pass
	}
	refused := func(t *testing.T, b *testBundle, request ledger.GateRequest, why ledger.WaitReason, least, most time.Duration) {
		t.Helper()
		_, err := b.gate.Admit(t.Context(), request)
		var wait *ledger.WaitError
		if !errors.As(err, &wait) {
			t.Fatalf("admit gave %v, want a wait", err)
		}
		if wait.Why != why || wait.Wait < least || wait.Wait > most {
			t.Fatalf("wait %v (%s), want %v to %v (%s)", wait.Wait, wait.Why, least, most, why)
		}
	}
	fail := func(t *testing.T, b *testBundle, pass ledger.GatePass, failure ledger.GateFailure) {
		t.Helper()
		if err := b.gate.Failed(t.Context(), pass, failure); err != nil {
			t.Fatal(err)
		}
	}
	succeed := func(t *testing.T, b *testBundle, pass ledger.GatePass) {
		t.Helper()
		if err := b.gate.Succeeded(t.Context(), pass); err != nil {
			t.Fatal(err)
		}
	}
	// later lets the times of all breakers lie in the past.
	later := func(t *testing.T, b *testBundle) {
		t.Helper()
		const statement = `update api_gates set cb_open_until = least(cb_open_until, now()), cb_probe_until = least(cb_probe_until, now())`
		if _, err := b.pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("Pace", func(t *testing.T) {
		t.Parallel()
		for _, tt := range []struct {
			name     string
			class    ledger.GateClass
			reserve  int
			wantFree int
			wantWait time.Duration
		}{
			{"general", ledger.GateGeneral, 0, 35, 250 * time.Millisecond},
			{"general with reserve", ledger.GateGeneral, 10, 25, 250 * time.Millisecond},
			{"reports", ledger.GateReports, 0, 20, 12 * time.Second},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				request := ledger.GateRequest{ConnectionID: 1, Class: tt.class, Reserve: tt.reserve}
				// The clock runs during the test; a call that has become due meanwhile is no mistake.
				start := time.Now()
				free := 0
				var wait *ledger.WaitError
				for ; ; free++ {
					_, err := b.gate.Admit(t.Context(), request)
					if errors.As(err, &wait) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				due := int(time.Since(start)/tt.wantWait) + 1
				if free < tt.wantFree || free > tt.wantFree+due {
					t.Errorf("%d calls were free, want %d", free, tt.wantFree)
				}
				if wait.Why != ledger.WaitLimit || wait.Wait <= 0 || wait.Wait > tt.wantWait+time.Millisecond {
					t.Errorf("wait %v (%s), want at most %v (limit)", wait.Wait, wait.Why, tt.wantWait)
				}
				if tt.reserve > 0 {
					request.Reserve = 0
					admit(t, b, request) // who waits finds the reserve
				}
				admit(t, b, general(2)) // another connection has its own
			})
		}
	})

	t.Run("SharedByProcesses", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var admitted atomic.Int64
		var all sync.WaitGroup
		start := time.Now()
		for range 8 {
			gate := db.NewGate(b.pool)
			all.Go(func() {
				for range 20 {
					if _, err := gate.Admit(context.WithoutCancel(t.Context()), general(1)); err == nil {
						admitted.Add(1)
					}
				}
			})
		}
		all.Wait()
		most := int64(35 + time.Since(start)/(250*time.Millisecond) + 1)
		if n := admitted.Load(); n < 35 || n > most {
			t.Errorf("%d calls admitted, want 35 to %d", n, most)
		}
	})

	t.Run("Blocked", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		pass := admit(t, b, general(1))
		for _, wait := range []time.Duration{20 * time.Second, 5 * time.Second} { // the shorter one changes nothing
			if err := b.gate.Blocked(t.Context(), pass, wait); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, b, general(1), ledger.WaitAsked, 15*time.Second, 21*time.Second)
		admit(t, b, ledger.GateRequest{ConnectionID: 1, Class: ledger.GateReports})
		admit(t, b, general(2))
	})

	t.Run("ConnectionBreaker", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		stale := admit(t, b, general(1))
		for range 4 {
			fail(t, b, admit(t, b, general(1)), ledger.FailureConnection)
		}
		pass := admit(t, b, general(1))
		if !pass.Unsettled {
			t.Error("the pass does not tell of failures")
		}
		fail(t, b, pass, ledger.FailureConnection)
		refused(t, b, general(1), ledger.WaitBreaker, 3*time.Second, 6100*time.Millisecond)
		admit(t, b, general(2)) // a failing connection stops nobody else

		stale.Unsettled = true
		succeed(t, b, stale) // too late: from before the breaker opened
		refused(t, b, general(1), ledger.WaitBreaker, 3*time.Second, 6100*time.Millisecond)

		later(t, b)
		probe := admit(t, b, general(1))
		refused(t, b, general(1), ledger.WaitBreaker, 25*time.Second, 31*time.Second) // one probe at a time
		fail(t, b, probe, ledger.FailureConnection)
		refused(t, b, general(1), ledger.WaitBreaker, 7*time.Second, 12100*time.Millisecond) // twice as long

		later(t, b)
		lost := admit(t, b, general(1)) // a probe that nobody hears of again
		later(t, b)
		probe = admit(t, b, general(1))
		lost.Unsettled = true
		succeed(t, b, lost)
		refused(t, b, general(1), ledger.WaitBreaker, 25*time.Second, 31*time.Second)
		succeed(t, b, probe)
		if pass := admit(t, b, general(1)); pass.Unsettled {
			t.Error("the breaker is not settled after a successful probe")
		}
	})

	t.Run("SuccessForgetsFailures", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for range 3 {
			for range 4 {
				fail(t, b, admit(t, b, general(1)), ledger.FailureProvider)
			}
			succeed(t, b, admit(t, b, general(1)))
		}
		if pass := admit(t, b, general(1)); pass.Unsettled {
			t.Error("failures are still remembered")
		}
	})

	t.Run("ProviderBreaker", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		admit(t, b, general(3)) // somebody else
		for i := range 5 {
			fail(t, b, admit(t, b, general(int64(1+i%2))), ledger.FailureProvider)
		}
		for connection := int64(1); connection <= 4; connection++ { // the fourth is new
			refused(t, b, general(connection), ledger.WaitBreaker, 3*time.Second, 6100*time.Millisecond)
		}
		later(t, b)
		probe := admit(t, b, general(3))
		refused(t, b, general(1), ledger.WaitBreaker, 25*time.Second, 31*time.Second)
		succeed(t, b, probe)
		for connection := int64(1); connection <= 4; connection++ {
			admit(t, b, general(connection))
		}
	})

	t.Run("ProviderStaysOpenToOthers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		admit(t, b, general(2))
		for range 5 {
			fail(t, b, admit(t, b, general(1)), ledger.FailureProvider)
		}
		refused(t, b, general(1), ledger.WaitBreaker, 3*time.Second, 6100*time.Millisecond)
		admit(t, b, general(2))
	})

	t.Run("OnlyConnection", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for range 5 {
			fail(t, b, admit(t, b, general(1)), ledger.FailureProvider)
		}
		refused(t, b, general(2), ledger.WaitBreaker, 3*time.Second, 6100*time.Millisecond)
		later(t, b)
		succeed(t, b, admit(t, b, general(1))) // one probe settles both breakers
		admit(t, b, general(2))
	})

	t.Run("StoreAway", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.pool.Close()
		_, err := b.gate.Admit(t.Context(), general(1))
		var wait *ledger.WaitError
		if err == nil || errors.As(err, &wait) {
			t.Errorf("admit without a store gave %v, want its error", err)
		}
	})

	t.Run("ManyAtOnce", func(t *testing.T) { // outcomes of two connections and the provider, in any order, without a deadlock
		t.Parallel()
		b := setup(t)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 20 {
					pass, err := b.gate.Admit(context.WithoutCancel(t.Context()), general(int64(1+(i+j)%3)))
					var wait *ledger.WaitError
					if err != nil {
						if !errors.As(err, &wait) {
							t.Error(err)
						}
						if _, err := b.pool.Exec(context.WithoutCancel(t.Context()),
							`update api_gates set cb_open_until = now(), cb_probe_until = now(), tat = now() where scope = $1`, "provider"); err != nil {
							t.Error(err)
						}
						continue
					}
					if j%3 == 0 {
						pass.Unsettled = true
						err = b.gate.Succeeded(context.WithoutCancel(t.Context()), pass)
					} else {
						err = b.gate.Failed(context.WithoutCancel(t.Context()), pass, ledger.FailureProvider)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

func BenchmarkGateAdmit(b *testing.B) {
	pool := dbtest.New(b)
	gate := db.NewGate(pool)
	ctx := b.Context()
	var connection int64
	for b.Loop() {
		connection++
		request := ledger.GateRequest{ConnectionID: 1 + connection%200, Class: ledger.GateGeneral}
		if _, err := gate.Admit(ctx, request); err != nil {
			var wait *ledger.WaitError
			if !errors.As(err, &wait) {
				b.Fatal(err)
			}
		}
	}
}
