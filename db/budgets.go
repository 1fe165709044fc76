package db

import (
	"context"
	"fmt"
	"time"

	"furrow/db/dbgen"
	"furrow/ledger"
	"furrow/planner"
)

// Budget is a project's budget as Harvest last reported it.
type Budget struct {
	ledger.ProjectBudget
	Currency string // of the client, ISO 4217; may be empty
}

// Budgets returns the budgets of the user's projects, by client and project.
// When they were read is told by [ledger.Connection].
func (s *Store) Budgets(ctx context.Context, userID int64) ([]Budget, error) {
	rows, err := s.q.Budgets(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("budgets of user %d: %w", userID, err)
	}
	list := make([]Budget, len(rows))
	for i, r := range rows {
		list[i] = Budget{Currency: r.Currency, ProjectBudget: ledger.ProjectBudget{
			ProjectID: r.ProjectID, ProjectName: r.Project, ClientID: r.ClientID, ClientName: r.Client,
			BudgetBy: ledger.BudgetBy(r.BudgetBy), IsMonthly: r.IsMonthly, IsActive: true,
			Budget: ledger.Amount(r.Budget), Spent: ledger.Amount(r.Spent), Remaining: ledger.Amount(r.Remaining),
		}}
	}
	return list, nil
}

// AccountDue implements [ledger.Mirror].
func (m *mirror) AccountDue(ctx context.Context, age, again time.Duration) (bool, error) {
	n, err := m.store.q.AccountAsk(ctx, dbgen.AccountAskParams{UserID: m.userID, Age: age, Again: again})
	return n > 0, err
}

// SaveAccount implements [ledger.Mirror].
func (m *mirror) SaveAccount(ctx context.Context, account ledger.Account) error {
	n, err := m.store.q.AccountSave(ctx, dbgen.AccountSaveParams{
		UserID: m.userID, HarvestAccountID: account.AccountID, HarvestUserID: account.UserID,
		CompanyName: account.CompanyName, HarvestUserName: account.UserName, BaseUri: account.BaseURI, WeekStart: int16(account.WeekStart),
		TimeZone: account.TimeZone, Clock: account.Clock, DurationFormat: string(account.DurationFormat),
		WeeklyCapacity: int32(account.WeeklyCapacity), TimestampTimers: account.TimestampTimers, CompanyVisible: account.CompanyVisible,
	})
	if err == nil && n == 0 {
		err = planner.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("store the account's settings: %w", err)
	}
	return nil
}

// BudgetsDue implements [ledger.Mirror].
func (m *mirror) BudgetsDue(ctx context.Context, age time.Duration) (bool, error) {
	n, err := m.store.q.BudgetsAsk(ctx, dbgen.BudgetsAskParams{UserID: m.userID, Age: age})
	return n > 0, err
}

// SaveBudgets implements [ledger.Mirror].
func (m *mirror) SaveBudgets(ctx context.Context, budgets []ledger.ProjectBudget) error {
	save := dbgen.BudgetsSaveParams{UserID: m.userID}
	for _, b := range budgets {
		save.HarvestIds = append(save.HarvestIds, b.ProjectID)
		save.BudgetBys = append(save.BudgetBys, string(b.BudgetBy))
		save.Monthly = append(save.Monthly, b.IsMonthly)
		save.Budgets = append(save.Budgets, string(b.Budget))
		save.Spent = append(save.Spent, string(b.Spent))
		save.Remaining = append(save.Remaining, string(b.Remaining))
	}
	err := m.store.InTx(ctx, func(tx *Tx) error {
		if err := tx.q.BudgetsForget(ctx, m.userID); err != nil {
			return err
		}
		if err := tx.q.BudgetsSave(ctx, save); err != nil {
			return err
		}
		return tx.q.BudgetsRead(ctx, m.userID)
	})
	if err != nil {
		return fmt.Errorf("store %d budgets: %w", len(budgets), err)
	}
	return nil
}

// HideBudgets implements [ledger.Mirror].
func (m *mirror) HideBudgets(ctx context.Context) error {
	return m.store.q.BudgetsHide(ctx, m.userID)
}
