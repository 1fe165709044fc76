package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"furrow/planner"
)

// What changes rarely is not read in every pull, so that one without news stays
// at three calls.
const (
	accountAge   = 24 * time.Hour
	accountAgain = time.Hour // after a try that failed
	budgetsAge   = time.Hour // a report: there are a hundred in 15 minutes (harvest-api.md, section 3)
	budgetsTerm  = 4 * time.Second
)

// refreshAccount takes over the account's settings if they have grown old. If
// Harvest does not tell them, those from before are good enough: what keeps it
// from answering keeps the rest of the pull too, and is told there.
func refreshAccount(ctx context.Context, remote Remote, mirror Mirror) error {
	due, err := mirror.AccountDue(ctx, accountAge, accountAgain)
	if err != nil || !due {
		return err
	}
	account, err := remote.Account(ctx)
	switch {
	case errors.Is(err, ErrAccessRevoked):
		return err
	case err != nil:
		return ctx.Err()
	}
	return saveAccount(ctx, mirror, account)
}

// saveAccount takes over the account's settings. An answer for another user than
// the connection's gives [ErrAccessRevoked]: these credentials must not be used,
// and connecting again puts it right.
func saveAccount(ctx context.Context, mirror Mirror, account Account) error {
	err := mirror.SaveAccount(ctx, account)
	if errors.Is(err, planner.ErrConflict) {
		return fmt.Errorf("%w: the credentials are of another user", ErrAccessRevoked)
	}
	return err
}

// refreshBudgets reads the budgets if they have grown old. It comes last, when
// all entries are stored, and has a few seconds: whatever Harvest answers, the
// run ends well. Budgets that it does not tell stay as they were, and are asked
// for again when they are due anew.
func refreshBudgets(ctx context.Context, remote Remote, mirror Mirror) error {
	due, err := mirror.BudgetsDue(ctx, budgetsAge)
	if err != nil || !due {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, budgetsTerm)
	defer cancel()
	budgets, err := remote.ProjectBudgets(asking)
	var call *CallError
	switch {
	case err == nil:
		return mirror.SaveBudgets(ctx, budgets)
	case errors.As(err, &call) && call.Reason == ReasonForbidden:
		return mirror.HideBudgets(ctx)
	default:
		return ctx.Err()
	}
}
