package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// pace is the limit of a class: no window of length w sees more than
// burst + w/step - 1 calls.
type pace struct {
	step  time.Duration
	burst int32
}

// paceOf keeps six calls of every hundred free, which is what Harvest allows,
// for the user's other programs: 94 in 15 s, and 94 in 15 min for reports
// (harvest-api.md, section 3).
func paceOf(class ledger.GateClass) pace {
	if class == ledger.GateReports {
		return pace{step: 12 * time.Second, burst: 20}
	}
	return pace{step: 250 * time.Millisecond, burst: 35}
}

// Gate is [ledger.Gate] with its state in the database, so that all processes
// keep one pace and one silence, by the database's clock. Admission costs one
// round trip; a success after a quiet time costs none.
type Gate struct {
	q *dbgen.Queries
}

var _ ledger.Gate = (*Gate)(nil)

// NewGate returns the gate kept in the database of pool.
func NewGate(pool *pgxpool.Pool) *Gate { return &Gate{q: dbgen.New(pool)} }

// connectionScopes is what the scopes of one connection begin with.
func connectionScopes(connectionID int64) string {
	return "connection:" + strconv.FormatInt(connectionID, 10) + ":"
}

func scope(connectionID int64, class ledger.GateClass) string {
	return connectionScopes(connectionID) + string(class)
}

// Admit takes a call's share. See [ledger.Gate].
func (g *Gate) Admit(ctx context.Context, request ledger.GateRequest) (ledger.GatePass, error) {
	params := dbgen.GateAdmitParams{Scope: scope(request.ConnectionID, request.Class), Reserve: int32(request.Reserve)}
	row, err := g.q.GateAdmit(ctx, params)
	if errors.Is(err, pgx.ErrNoRows) {
		// The first call of this connection and class.
		limit := paceOf(request.Class)
		ensure := dbgen.GateEnsureParams{Scope: params.Scope, StepSeconds: limit.step.Seconds(), Burst: limit.burst}
		if err := g.q.GateEnsure(ctx, ensure); err != nil {
			return ledger.GatePass{}, fmt.Errorf("make the gate %s: %w", params.Scope, err)
		}
		row, err = g.q.GateAdmit(ctx, params)
	}
	if err != nil {
		return ledger.GatePass{}, fmt.Errorf("ask the gate %s: %w", params.Scope, err)
	}
	if row.Refusal != "" {
		return ledger.GatePass{}, &ledger.WaitError{Wait: secondsUp(row.WaitSeconds), Why: ledger.WaitReason(row.Refusal)}
	}
	return ledger.GatePass{
		ConnectionID: request.ConnectionID, Class: request.Class,
		Epoch: row.Epoch, ProviderEpoch: row.ProviderEpoch, Unsettled: row.Unsettled,
	}, nil
}

// secondsUp rounds up to a millisecond, so that who waits that long is not
// refused again for the rest of one.
func secondsUp(seconds float64) time.Duration {
	return time.Duration(seconds*float64(time.Second)).Truncate(time.Millisecond) + time.Millisecond
}

// Blocked records that Harvest asked for silence. See [ledger.Gate].
func (g *Gate) Blocked(ctx context.Context, pass ledger.GatePass, wait time.Duration) error {
	params := dbgen.GateBlockParams{Scope: scope(pass.ConnectionID, pass.Class), WaitSeconds: wait.Seconds()}
	if err := g.q.GateBlock(ctx, params); err != nil {
		return fmt.Errorf("block the gate %s: %w", params.Scope, err)
	}
	return nil
}

// Failed counts a failure. See [ledger.Gate].
func (g *Gate) Failed(ctx context.Context, pass ledger.GatePass, failure ledger.GateFailure) error {
	params := dbgen.GateFailParams{
		Scope: scope(pass.ConnectionID, pass.Class), Epoch: pass.Epoch,
		Connection: connectionScopes(pass.ConnectionID), ProviderEpoch: pass.ProviderEpoch,
		OfProvider: failure == ledger.FailureProvider,
	}
	if err := g.q.GateFail(ctx, params); err != nil {
		return fmt.Errorf("count a failure at the gate %s: %w", params.Scope, err)
	}
	return nil
}

// Succeeded closes breakers and forgets failures. See [ledger.Gate].
func (g *Gate) Succeeded(ctx context.Context, pass ledger.GatePass) error {
	if !pass.Unsettled {
		return nil
	}
	params := dbgen.GateSucceedParams{Scope: scope(pass.ConnectionID, pass.Class), Epoch: pass.Epoch, ProviderEpoch: pass.ProviderEpoch}
	if err := g.q.GateSucceed(ctx, params); err != nil {
		return fmt.Errorf("note a success at the gate %s: %w", params.Scope, err)
	}
	return nil
}

// GateStatus is how a scope of the gate stands, for admins.
type GateStatus struct {
	Scope        string           // its name
	ConnectionID int64            // 0: the provider as a whole, which has only a breaker
	Email        string           // of the connection's owner; empty if there is none any more
	Class        ledger.GateClass // empty for the provider
	Breaker      BreakerState
	Failures     int           // in a row
	Asked        time.Duration // until the silence that Harvest asked for is over; 0 if there is none
	Broken       time.Duration // until the breaker lets a call through; 0 if it does
	Paced        time.Duration // until our own pace allows the next call; 0 if it does
	Free         int           // calls that the pace allows at this moment
	// Forced: an operator has opened the breaker, and it has not been tried since.
	Forced                 bool
	ForcedReason, ForcedBy string
}

// BreakerState is where a breaker stands, as it is stored.
type BreakerState int16

// The states of a breaker.
const (
	BreakerClosed  BreakerState = 0 // calls go through
	BreakerOpen    BreakerState = 1 // none does, for a time
	BreakerProbing BreakerState = 2 // one does; its outcome decides
)

// Gates returns how at most most scopes of the gate stand, the provider's first
// and then those that hold calls back, and how many there are in all. An empty
// scope stands for all of them.
func (s *Store) Gates(ctx context.Context, scope string, most int) (list []GateStatus, scopes int, err error) {
	rows, err := s.q.GateList(ctx, dbgen.GateListParams{Scope: nonEmpty(scope), Most: int32(most)})
	if err != nil {
		return nil, 0, fmt.Errorf("list the gates: %w", err)
	}
	list = make([]GateStatus, len(rows))
	for i, r := range rows {
		scopes = int(r.Scopes)
		list[i] = GateStatus{
			Scope: r.Scope, Email: r.Email, Breaker: BreakerState(r.CbState), Failures: int(r.CbFailures), Free: int(r.Free),
			Forced: r.Forced, ForcedReason: r.ForcedReason, ForcedBy: r.ForcedBy,
			Asked: seconds(r.AskedSeconds), Broken: seconds(r.BrokenSeconds), Paced: seconds(r.PacedSeconds),
		}
		if rest, ok := strings.CutPrefix(r.Scope, "connection:"); ok {
			id, class, _ := strings.Cut(rest, ":")
			if list[i].ConnectionID, err = strconv.ParseInt(id, 10, 64); err != nil {
				return nil, 0, fmt.Errorf("list the gates: scope %q: %w", r.Scope, err)
			}
			list[i].Class = ledger.GateClass(class)
		}
	}
	return list, scopes, nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// GateSummary is what holds calls back, in short.
type GateSummary struct {
	Provider BreakerState // of Harvest as a whole
	Broken   int          // breakers of connections that are not closed
	Asked    int          // scopes for which Harvest asked for silence
	Forced   bool         // one of the breakers is an operator's doing
}

// GateSummary returns what holds calls back, in short.
func (s *Store) GateSummary(ctx context.Context) (GateSummary, error) {
	r, err := s.q.GateSummary(ctx)
	if err != nil {
		return GateSummary{}, fmt.Errorf("sum up the gates: %w", err)
	}
	return GateSummary{Provider: BreakerState(r.Provider), Broken: int(r.Broken), Asked: int(r.Asked), Forced: r.Forced}, nil
}

// ForceBreaker opens the breaker of a scope for hold, for a reason, or closes
// it, whatever calls have shown. Closing it does not lift a silence that Harvest
// asked for. [planner.ErrNotFound]: there is no such scope.
func (tx *Tx) ForceBreaker(ctx context.Context, actorID int64, scope string, open bool, hold time.Duration, reason string) error {
	n, err := tx.q.GateForce(ctx, dbgen.GateForceParams{Scope: scope, Open: open, Hold: hold, Reason: reason, ActorID: actorID})
	if err == nil && n == 0 {
		err = planner.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("force the breaker of %s: %w", scope, err)
	}
	return nil
}
