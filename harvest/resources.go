package harvest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"furrow/ledger"
	"furrow/planner"
)

// Addresses of lists that are small and change rarely.
const (
	clientsPath    = "/v2/clients"
	projectsPath   = "/v2/projects"
	tasksPath      = "/v2/tasks"
	reportsPath    = "/v2/reports/"
	budgetsPath    = reportsPath + "project_budget"
	uninvoicedPath = reportsPath + "uninvoiced"
)

// classOf names the limit that a call counts against (introduction/overview/
// general, "rate limiting").
func classOf(name string) ledger.GateClass {
	if strings.HasPrefix(name, reportsPath) {
		return ledger.GateReports
	}
	return ledger.GateGeneral
}

// Clients returns the clients, newest first. They are for administrators and
// managers with that right; others get ReasonForbidden (harvest-api.md, section
// 10.4).
func (c *Client) Clients(ctx context.Context, filter ledger.ResourceFilter) ([]ledger.Client, error) {
	return list(ctx, c, clientsPath, "clients", c.resourceQuery(filter), readClient, func(r ledger.Client) int64 { return r.ID })
}

// Projects returns the projects that the user manages, newest first; all of
// them for administrators. Others get ReasonForbidden (harvest-api.md, section
// 10.5).
func (c *Client) Projects(ctx context.Context, filter ledger.ResourceFilter) ([]ledger.Project, error) {
	query := c.resourceQuery(filter)
	if filter.ClientID != 0 {
		query.Set("client_id", strconv.FormatInt(filter.ClientID, 10))
	}
	return list(ctx, c, projectsPath, "projects", query, readProject, func(r ledger.Project) int64 { return r.ID })
}

// Tasks returns the tasks, newest first.
func (c *Client) Tasks(ctx context.Context, filter ledger.ResourceFilter) ([]ledger.Task, error) {
	return list(ctx, c, tasksPath, "tasks", c.resourceQuery(filter), readTask, func(r ledger.Task) int64 { return r.ID })
}

// ProjectBudgets reports the active projects with a budget that the user may
// see. It counts against the limit of reports.
func (c *Client) ProjectBudgets(ctx context.Context) ([]ledger.ProjectBudget, error) {
	query := url.Values{"per_page": {c.h.perPage}, "is_active": {"true"}}
	return list(ctx, c, budgetsPath, "results", query, readBudget, func(r ledger.ProjectBudget) int64 { return r.ProjectID })
}

// maxPeriod is the longest period that Harvest reports on, in days
// (reports-api).
const maxPeriod = 365

// Uninvoiced reports what was not invoiced of the time between two dates, both
// inclusive, for those who may see rates. A longer period than a year is
// refused without being sent. It counts against the limit of reports.
func (c *Client) Uninvoiced(ctx context.Context, from, to planner.Date) ([]ledger.Uninvoiced, error) {
	if to < from || to-from > maxPeriod {
		return nil, c.failed(call{method: http.MethodGet, name: uninvoicedPath}, ledger.Refused, ledger.ReasonInvalid)
	}
	// Without dashes, as the documentation has it (harvest-api.md, section 7).
	compact := func(d planner.Date) string { return strings.ReplaceAll(d.String(), "-", "") }
	query := url.Values{"per_page": {c.h.perPage}, "from": {compact(from)}, "to": {compact(to)}}
	type line struct {
		project  int64
		currency string
	}
	return list(ctx, c, uninvoicedPath, "results", query, readUninvoiced, func(r ledger.Uninvoiced) line { return line{r.ProjectID, r.Currency} })
}

func (c *Client) resourceQuery(filter ledger.ResourceFilter) url.Values {
	query := url.Values{"per_page": {c.h.perPage}}
	if filter.OnlyActive {
		query.Set("is_active", "true")
	}
	if !filter.UpdatedSince.IsZero() {
		query.Set("updated_since", filter.UpdatedSince.UTC().Truncate(time.Second).Format(time.RFC3339))
	}
	return query
}

// list reads a whole list, whose collection is the member named key. Rows can
// repeat when something changes between two pages; the first of a kind counts.
func list[W, T any, K comparable](ctx context.Context, c *Client, path, key string, query url.Values, read func(*W) (T, error), kind func(T) K) ([]T, error) {
	var all []T
	seen := map[K]bool{}
	decode := func(body []byte) ([]T, string, error) { return decodeList(body, key, read) }
	err := walk(ctx, c, path, path+"?"+query.Encode(), decode, func(page []T, _ string) bool {
		for _, row := range page {
			if k := kind(row); !seen[k] {
				seen[k] = true
				all = append(all, row)
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func decodeList[W, T any](body []byte, key string, read func(*W) (T, error)) (rows []T, next string, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, "", describe(err)
	}
	var wire []W
	if collection := members[key]; len(collection) > 0 {
		if err := json.Unmarshal(collection, &wire); err != nil {
			return nil, "", describe(err)
		}
	}
	if wire == nil {
		return nil, "", errors.New(key + ": missing")
	}
	var around envelope
	if links := members["links"]; len(links) > 0 {
		if err := json.Unmarshal(links, &around.Links); err != nil {
			return nil, "", describe(err)
		}
	}
	if next, err = around.next(); err != nil {
		return nil, "", err
	}
	rows = make([]T, 0, len(wire))
	for i := range wire {
		row, err := read(&wire[i])
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", key, err)
		}
		rows = append(rows, row)
	}
	return rows, next, nil
}

// active reads is_active, which old records lack.
func active(flag *bool) bool { return flag == nil || *flag }

type wireListedClient struct {
	wireClient
	IsActive  *bool `json:"is_active"`
	UpdatedAt text  `json:"updated_at"`
}

func readClient(w *wireListedClient) (ledger.Client, error) {
	var problem fieldErrors
	row := ledger.Client{
		ID: problem.own(w.ID), Name: plain(w.Name), Currency: plain(w.Currency), IsActive: active(w.IsActive), UpdatedAt: problem.instant("updated_at", w.UpdatedAt),
	}
	return row, problem.err
}

type wireProject struct {
	ID              number     `json:"id"`
	Name            text       `json:"name"`
	Code            text       `json:"code"`
	Client          wireClient `json:"client"`
	IsActive        *bool      `json:"is_active"`
	IsBillable      bool       `json:"is_billable"`
	IsFixedFee      bool       `json:"is_fixed_fee"`
	BillBy          string     `json:"bill_by"`
	HourlyRate      number     `json:"hourly_rate"`
	Fee             number     `json:"fee"`
	BudgetBy        string     `json:"budget_by"`
	BudgetIsMonthly bool       `json:"budget_is_monthly"`
	Budget          number     `json:"budget"`
	CostBudget      number     `json:"cost_budget"`
	WithExpenses    bool       `json:"cost_budget_include_expenses"`
	ShownToAll      bool       `json:"show_budget_to_all"`
	Notify          bool       `json:"notify_when_over_budget"`
	Percentage      number     `json:"over_budget_notification_percentage"`
	StartsOn        text       `json:"starts_on"`
	EndsOn          text       `json:"ends_on"`
	UpdatedAt       text       `json:"updated_at"`
}

func readProject(w *wireProject) (ledger.Project, error) {
	var problem fieldErrors
	row := ledger.Project{
		ID: problem.own(w.ID), Name: plain(string(w.Name)), Code: plain(string(w.Code)),
		ClientID: problem.id("client.id", w.Client.ID), ClientName: plain(w.Client.Name), Currency: plain(w.Client.Currency),
		IsActive: active(w.IsActive), IsBillable: w.IsBillable, IsFixedFee: w.IsFixedFee, BillBy: plain(w.BillBy),
		HourlyRate: problem.amount("hourly_rate", w.HourlyRate), Fee: problem.amount("fee", w.Fee),
		BudgetBy: budgetBy(w.BudgetBy), BudgetIsMonthly: w.BudgetIsMonthly,
		BudgetWithExpenses: w.WithExpenses, BudgetShownToAll: w.ShownToAll, WarnOverBudget: w.Notify,
		WarnAtPercent: problem.amount("over_budget_notification_percentage", w.Percentage),
		StartsOn:      problem.date("starts_on", w.StartsOn), EndsOn: problem.date("ends_on", w.EndsOn), UpdatedAt: problem.instant("updated_at", w.UpdatedAt),
	}
	hours, money := problem.amount("budget", w.Budget), problem.amount("cost_budget", w.CostBudget)
	switch {
	case !row.BudgetBy.InMoney():
		row.BudgetHours = hours
	case money != "":
		row.BudgetMoney = money
	default:
		row.BudgetMoney = hours // where older projects keep it
	}
	return row, problem.err
}

// budgetBy reads what a budget is of; no word is none.
func budgetBy(word string) ledger.BudgetBy {
	if word == "" {
		return ledger.BudgetNone
	}
	return ledger.BudgetBy(plain(word))
}

type wireTask struct {
	named
	Billable  bool   `json:"billable_by_default"`
	Rate      number `json:"default_hourly_rate"`
	IsDefault bool   `json:"is_default"`
	IsActive  *bool  `json:"is_active"`
	UpdatedAt text   `json:"updated_at"`
}

func readTask(w *wireTask) (ledger.Task, error) {
	var problem fieldErrors
	row := ledger.Task{
		ID: problem.own(w.ID), Name: plain(w.Name), BillableByDefault: w.Billable, HourlyRate: problem.amount("default_hourly_rate", w.Rate),
		IsDefault: w.IsDefault, IsActive: active(w.IsActive), UpdatedAt: problem.instant("updated_at", w.UpdatedAt),
	}
	return row, problem.err
}

// wireReportLine is what the lines of reports begin with.
type wireReportLine struct {
	ProjectID   number `json:"project_id"`
	ProjectName text   `json:"project_name"`
	ClientID    number `json:"client_id"`
	ClientName  text   `json:"client_name"`
}

type wireBudget struct {
	wireReportLine
	BudgetBy  string `json:"budget_by"`
	IsMonthly bool   `json:"budget_is_monthly"`
	IsActive  *bool  `json:"is_active"`
	Budget    number `json:"budget"`
	Spent     number `json:"budget_spent"`
	Remaining number `json:"budget_remaining"`
}

func readBudget(w *wireBudget) (ledger.ProjectBudget, error) {
	var problem fieldErrors
	row := ledger.ProjectBudget{
		ProjectID: problem.own(w.ProjectID), ProjectName: plain(string(w.ProjectName)),
		ClientID: problem.id("client_id", w.ClientID), ClientName: plain(string(w.ClientName)),
		BudgetBy: budgetBy(w.BudgetBy), IsMonthly: w.IsMonthly, IsActive: active(w.IsActive),
		Budget: problem.amount("budget", w.Budget), Spent: problem.amount("budget_spent", w.Spent), Remaining: problem.amount("budget_remaining", w.Remaining),
	}
	return row, problem.err
}

type wireUninvoiced struct {
	wireReportLine
	Currency string `json:"currency"`
	Total    number `json:"total_hours"`
	Hours    number `json:"uninvoiced_hours"`
	Expenses number `json:"uninvoiced_expenses"`
	Amount   number `json:"uninvoiced_amount"`
}

func readUninvoiced(w *wireUninvoiced) (ledger.Uninvoiced, error) {
	var problem fieldErrors
	row := ledger.Uninvoiced{
		ProjectID: problem.own(w.ProjectID), ProjectName: plain(string(w.ProjectName)),
		ClientID: problem.id("client_id", w.ClientID), ClientName: plain(string(w.ClientName)), Currency: plain(w.Currency),
		TotalHours: problem.amount("total_hours", w.Total), UninvoicedHours: problem.amount("uninvoiced_hours", w.Hours),
		UninvoicedExpenses: problem.amount("uninvoiced_expenses", w.Expenses), UninvoicedAmount: problem.amount("uninvoiced_amount", w.Amount),
	}
	return row, problem.err
}

// own reads the id of a row itself, which there must be.
func (f *fieldErrors) own(n number) int64 {
	id := f.id("id", n)
	if id <= 0 {
		f.add("id", errNoID)
	}
	return id
}

func (f *fieldErrors) amount(field string, n number) ledger.Amount {
	if n == "" {
		return ""
	}
	d, err := exact(string(n))
	f.add(field, err)
	return ledger.Amount(d.String())
}

func (f *fieldErrors) instant(field string, t text) time.Time {
	at, err := instant([]byte(t))
	f.add(field, err)
	return at
}

func (f *fieldErrors) date(field string, t text) *planner.Date {
	if t == "" {
		return nil
	}
	d, err := planner.ParseDate(string(t))
	if err != nil {
		f.add(field, errNotDate)
		return nil
	}
	return &d
}
