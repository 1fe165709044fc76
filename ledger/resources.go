package ledger

import (
	"time"

	"furrow/planner"
)

// Amount is a decimal number in text, hours or money as its place says; it may
// be negative. Empty: Harvest has none, or does not show it to this user.
type Amount string

// ResourceFilter chooses what a list of clients, projects or tasks holds. Zero
// fields do not filter.
type ResourceFilter struct {
	OnlyActive   bool
	UpdatedSince time.Time // strictly later than this, whole seconds
	ClientID     int64     // of projects alone
}

// Client is somebody that projects are done for.
type Client struct {
	ID        int64
	Name      string
	Currency  string // ISO 4217; empty if Harvest did not say
	IsActive  bool
	UpdatedAt time.Time
}

// Project is a project as those see it who manage it.
type Project struct {
	ID         int64
	Name       string
	Code       string
	ClientID   int64
	ClientName string
	Currency   string // ISO 4217; of all its money
	IsActive   bool
	IsBillable bool
	IsFixedFee bool
	BillBy     string // Project, Tasks, People or none
	HourlyRate Amount // per hour, if BillBy is Project
	Fee        Amount // if IsFixedFee

	BudgetBy        BudgetBy
	BudgetIsMonthly bool   // starts anew every month
	BudgetHours     Amount // of the whole project, if BudgetBy counts hours
	BudgetMoney     Amount // of the whole project, if BudgetBy counts money
	// BudgetWithExpenses: expenses count against BudgetMoney.
	BudgetWithExpenses bool
	BudgetShownToAll   bool
	WarnOverBudget     bool
	WarnAtPercent      Amount // of the budget, if WarnOverBudget

	StartsOn, EndsOn *planner.Date // nil: open
	UpdatedAt        time.Time
}

// BudgetBy says what a project's budget is of, in Harvest's words. Others than
// those named may come.
type BudgetBy string

// What budgets are of. Those by task and by person have no sum for the whole
// project but in the report.
const (
	BudgetNone      BudgetBy = "none"
	BudgetProject   BudgetBy = "project"      // hours of the project
	BudgetTask      BudgetBy = "task"         // hours of each task
	BudgetPerson    BudgetBy = "person"       // hours of each person
	BudgetCost      BudgetBy = "project_cost" // money of the project
	BudgetTaskMoney BudgetBy = "task_fees"    // money of each task
)

// InMoney reports whether the figures of a budget are money; they are hours if
// not.
func (b BudgetBy) InMoney() bool { return b == BudgetCost || b == BudgetTaskMoney }

// Task is a kind of work.
type Task struct {
	ID                int64
	Name              string
	BillableByDefault bool
	HourlyRate        Amount // where a project has none of its own
	IsDefault         bool   // comes with new projects
	IsActive          bool
	UpdatedAt         time.Time
}

// ProjectBudget is a line of the report on budgets. Spent and Remaining are of
// this month if IsMonthly; all three count what BudgetBy says, in hours rounded
// as the account rounds, or in money of the client's currency. They are empty
// if this user may not see them.
type ProjectBudget struct {
	ProjectID   int64
	ProjectName string
	ClientID    int64
	ClientName  string
	BudgetBy    BudgetBy
	IsMonthly   bool
	IsActive    bool
	Budget      Amount
	Spent       Amount
	Remaining   Amount
}

// Uninvoiced is what a project has earned in a period and nobody has invoiced
// yet.
type Uninvoiced struct {
	ClientID           int64
	ClientName         string
	ProjectID          int64
	ProjectName        string
	Currency           string
	TotalHours         Amount
	UninvoicedHours    Amount
	UninvoicedExpenses Amount
	UninvoicedAmount   Amount
}

// TimerStart is what to start a timer on.
type TimerStart struct {
	ProjectID int64
	TaskID    int64
	SpentDate planner.Date
	Notes     string
}
