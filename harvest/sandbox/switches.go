package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// switches are the questions that no source answers, and settings of an account that tests like to
// change. Each field is one switch of the control interface; the first value named is the default.
type switches struct {
	RefreshTokenRotation string            `json:"refresh_token_rotation"` // rotate (the old one dies), keep (the same comes back), omit (none comes back)
	Paging               map[string]string `json:"paging"`                 // style per resource; "*" sets all
	ReferenceFilterLagMS int64             `json:"reference_filter_lag_ms"`
	Limits               limits            `json:"limits"`
	RetryAfter           string            `json:"retry_after"` // seconds, date, none
	LockAnswer           string            `json:"lock_answer"` // 422, 403, dropped (200 and nothing changed)
	HoursZeroStartsTimer bool              `json:"hours_zero_starts_timer"`
	MissingAccountHeader string            `json:"missing_account_header"` // 401, 403, 404, implied (the token's first account), identity (/users/me shows the identity's user)
	ForeignAccount       string            `json:"foreign_account"`        // 401, 403, 404: an account that the token does not open
	DeleteBody           string            `json:"delete_body"`            // object, empty
	CompanyForMembers    string            `json:"company_for_members"`    // 403, 200
	RestartNewEntry      bool              `json:"restart_new_entry"`      // restart makes a new entry where start and end times are wanted
	// What an account with start and end times does with hours alone: accepted, rejected.
	HoursOnTimestampAccount string `json:"hours_on_timestamp_account"`
	DropExternalReference   bool   `json:"drop_external_reference"`  // what is sent is not stored
	ApprovalTouchesEntries  bool   `json:"approval_touches_entries"` // approval changes updated_at
	RenameTouchesEntries    bool   `json:"rename_touches_entries"`   // a change of a client, project or task changes updated_at of its entries
	TimerTouchesEntries     bool   `json:"timer_touches_entries"`    // updated_at goes with the clock while a timer runs
	NullAssignments         bool   `json:"null_assignments"`         // user_assignment and task_assignment of entries are null
	OrderInDay              string `json:"order_in_day"`             // highest_id_first, lowest_id_first
	NotesLimit              int    `json:"notes_limit"`              // characters of notes; 0 is no limit
	ReferenceLimit          int    `json:"reference_limit"`          // characters of a reference's id; 0 is no limit
	HoursAndTimes           string `json:"hours_and_times"`          // which counts where both are sent: times, hours
	HoursDigits             string `json:"hours_digits"`             // beyond hundredths: rounded, truncated
	ProjectRequires         string `json:"project_requires"`         // name (and client), all (that the documentation lists)

	LimitsPer       string `json:"limits_per"`          // token, user, account, ip
	ThrottleBody    string `json:"throttle_body"`       // html, empty, json
	ThrottleStatus  int    `json:"throttle_status"`     // 429, 503
	CodeLifeS       int    `json:"code_life_s"`         // of an authorization code
	WrongClient     string `json:"wrong_client"`        // 401, 400: an unknown OAuth client
	RegisteredRedir string `json:"registered_redirect"` // what redirect_uri must start with, and is if not sent; "" is any http or https address

	BudgetReportArchived      bool `json:"budget_report_archived"`       // archived projects come along unless is_active asks
	BudgetReportWithoutBudget bool `json:"budget_report_without_budget"` // projects without a budget come along, with nulls
}

// limits are requests per sliding window and token; 0 requests is no limit.
type limits struct {
	General        int `json:"general"`
	GeneralWindowS int `json:"general_window_s"`
	Reports        int `json:"reports"`
	ReportsWindowS int `json:"reports_window_s"`
	Hourly         int `json:"hourly"`
}

func defaultSwitches() switches {
	return switches{
		RefreshTokenRotation: "rotate",
		Paging: map[string]string{
			"time_entries": pagingMixed,
			"clients":      pagingCursor, "projects": pagingCursor, "tasks": pagingCursor, "users": pagingCursor, "roles": pagingCursor,
			"task_assignments": pagingCursor, "user_assignments": pagingCursor, "project_assignments": pagingCursor,
			"expense_categories": pagingCursor,
			"expenses":           pagingPage, "my_project_assignments": pagingPage, "project_task_assignments": pagingPage,
			"project_user_assignments": pagingPage,
		},
		Limits:     limits{General: 100, GeneralWindowS: 15, Reports: 100, ReportsWindowS: 15 * 60},
		RetryAfter: "seconds", LockAnswer: "422", HoursZeroStartsTimer: true, MissingAccountHeader: "401", ForeignAccount: "401",
		DeleteBody: "object", CompanyForMembers: "403", RestartNewEntry: true, HoursOnTimestampAccount: "accepted",
		ApprovalTouchesEntries: true, OrderInDay: "highest_id_first", HoursAndTimes: "times", HoursDigits: "rounded", ProjectRequires: "name",
		LimitsPer: "token", ThrottleBody: "html", ThrottleStatus: 429, CodeLifeS: 600, WrongClient: "401", BudgetReportArchived: true,
	}
}

// accountSwitches are kept in an account: in 1001, or in the one that the request names.
type accountSwitches struct {
	AccountMode  string `json:"account_mode"` // duration, timestamp
	Clock        string `json:"clock"`        // 24h, 12h
	TimeFormat   string `json:"time_format"`  // hours_minutes, decimal
	Timezone     string `json:"timezone"`     // of all its users; a Rails zone name
	Rounding     string `json:"rounding"`     // off, nearest_6, nearest_15, nearest_30, up_6, up_15, up_30 (minutes)
	WeekStartDay string `json:"week_start_day"`
}

func (a *account) switches() accountSwitches {
	sw := accountSwitches{
		AccountMode: "duration", Clock: a.Company.Clock, TimeFormat: a.Company.TimeFormat, Rounding: a.Rounding, WeekStartDay: a.Company.WeekStartDay,
	}
	if a.Company.WantsTimestampTimers {
		sw.AccountMode = "timestamp"
	}
	for _, id := range slices.Sorted(maps.Keys(a.Users)) {
		sw.Timezone = a.Users[id].Timezone
		break
	}
	return sw
}

// errSwitch tells what is wrong with a request to set switches.
var errSwitch = errors.New("switch not set")

// setSwitches applies a JSON object of switches, all or nothing. The mutex must be held for writing.
func (s *Server) setSwitches(wanted map[string]json.RawMessage) error {
	a := s.world.Accounts[1001]
	if raw, ok := wanted["account"]; ok {
		var id int64
		if err := json.Unmarshal(raw, &id); err != nil || s.world.Accounts[id] == nil {
			return fmt.Errorf("%w: there is no account %s", errSwitch, raw)
		}
		a = s.world.Accounts[id]
	}
	sw := s.world.Switches
	sw.Paging = maps.Clone(sw.Paging)
	own := a.switches()
	oldZone := own.Timezone
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if err := setSwitch(&sw, &own, name, wanted[name]); err != nil {
			return err
		}
	}
	s.world.Switches = sw
	a.Company.WantsTimestampTimers = own.AccountMode == "timestamp"
	a.Company.Clock, a.Company.TimeFormat, a.Company.WeekStartDay = own.Clock, own.TimeFormat, own.WeekStartDay
	a.Rounding = own.Rounding
	if own.Timezone != oldZone {
		for _, u := range a.Users {
			u.Timezone = own.Timezone
			u.UpdatedAt = second(s.now())
		}
	}
	return nil
}

func setSwitch(sw *switches, own *accountSwitches, name string, raw json.RawMessage) error {
	choice := func(into *string, valid ...string) error {
		var v string
		if err := json.Unmarshal(raw, &v); err != nil || !slices.Contains(valid, v) {
			return fmt.Errorf("%w: %s must be one of %s", errSwitch, name, strings.Join(valid, ", "))
		}
		*into = v
		return nil
	}
	read := func(into any) error {
		if err := json.Unmarshal(raw, into); err != nil {
			return fmt.Errorf("%w: %s: %w", errSwitch, name, err)
		}
		return nil
	}
	switch name {
	case "account":
		return nil
	case "refresh_token_rotation":
		var rotate bool
		if json.Unmarshal(raw, &rotate) == nil {
			sw.RefreshTokenRotation = "keep"
			if rotate {
				sw.RefreshTokenRotation = "rotate"
			}
			return nil
		}
		return choice(&sw.RefreshTokenRotation, "rotate", "keep", "omit")
	case "paging":
		return setPaging(sw.Paging, raw)
	case "reference_filter_lag_ms":
		return read(&sw.ReferenceFilterLagMS)
	case "limits":
		return read(&sw.Limits)
	case "retry_after":
		return choice(&sw.RetryAfter, "seconds", "date", "none")
	case "lock_answer":
		return choice(&sw.LockAnswer, "422", "403", "dropped")
	case "hours_zero_starts_timer":
		return read(&sw.HoursZeroStartsTimer)
	case "missing_account_header":
		return choice(&sw.MissingAccountHeader, "401", "403", "404", "implied", "identity")
	case "foreign_account":
		return choice(&sw.ForeignAccount, "401", "403", "404")
	case "delete_body":
		return choice(&sw.DeleteBody, "object", "empty")
	case "company_for_members":
		return choice(&sw.CompanyForMembers, "403", "200")
	case "restart_new_entry":
		return read(&sw.RestartNewEntry)
	case "hours_on_timestamp_account":
		return choice(&sw.HoursOnTimestampAccount, "accepted", "rejected")
	case "drop_external_reference":
		return read(&sw.DropExternalReference)
	case "approval_touches_entries":
		return read(&sw.ApprovalTouchesEntries)
	case "rename_touches_entries":
		return read(&sw.RenameTouchesEntries)
	case "timer_touches_entries":
		return read(&sw.TimerTouchesEntries)
	case "null_assignments":
		return read(&sw.NullAssignments)
	case "order_in_day":
		return choice(&sw.OrderInDay, "highest_id_first", "lowest_id_first")
	case "notes_limit":
		return read(&sw.NotesLimit)
	case "reference_limit":
		return read(&sw.ReferenceLimit)
	case "hours_and_times":
		return choice(&sw.HoursAndTimes, "times", "hours")
	case "hours_digits":
		return choice(&sw.HoursDigits, "rounded", "truncated")
	case "project_requires":
		return choice(&sw.ProjectRequires, "name", "all")
	case "limits_per":
		return choice(&sw.LimitsPer, "token", "user", "account", "ip")
	case "throttle_body":
		return choice(&sw.ThrottleBody, "html", "empty", "json")
	case "throttle_status":
		var status int
		if err := read(&status); err != nil {
			return err
		}
		if status != 429 && status != 503 {
			return fmt.Errorf("%w: throttle_status must be 429 or 503", errSwitch)
		}
		sw.ThrottleStatus = status
		return nil
	case "code_life_s":
		return read(&sw.CodeLifeS)
	case "wrong_client":
		return choice(&sw.WrongClient, "401", "400")
	case "registered_redirect":
		return read(&sw.RegisteredRedir)
	case "budget_report_archived":
		return read(&sw.BudgetReportArchived)
	case "budget_report_without_budget":
		return read(&sw.BudgetReportWithoutBudget)
	case "account_mode":
		return choice(&own.AccountMode, "duration", "timestamp")
	case "clock":
		return choice(&own.Clock, "12h", "24h")
	case "time_format":
		return choice(&own.TimeFormat, "decimal", "hours_minutes")
	case "rounding":
		return choice(&own.Rounding, roundingOff, "nearest_6", "nearest_15", "nearest_30", "up_6", "up_15", "up_30")
	case "week_start_day":
		return choice(&own.WeekStartDay, "Saturday", "Sunday", "Monday")
	case "timezone":
		if err := read(&own.Timezone); err != nil {
			return err
		}
		if _, err := zone(own.Timezone); err != nil {
			return fmt.Errorf("%w: timezone: %w", errSwitch, err)
		}
		return nil
	}
	return fmt.Errorf("%w: there is no switch %q; there are %s", errSwitch, name, strings.Join(switchNames(), ", "))
}

func setPaging(paging map[string]string, raw json.RawMessage) error {
	var styles map[string]string
	if err := json.Unmarshal(raw, &styles); err != nil {
		return fmt.Errorf("%w: paging must be an object of styles by resource", errSwitch)
	}
	for resource, style := range styles {
		if !slices.Contains([]string{pagingPage, pagingCursor, pagingMixed}, style) {
			return fmt.Errorf("%w: paging of %s must be one of page, cursor, mixed", errSwitch, resource)
		}
		if resource == "*" {
			for r := range paging {
				paging[r] = style
			}
			continue
		}
		if _, ok := paging[resource]; !ok {
			return fmt.Errorf("%w: there is no paging resource %q; there are %s", errSwitch, resource, strings.Join(slices.Sorted(maps.Keys(paging)), ", "))
		}
		paging[resource] = style
	}
	return nil
}

func switchNames() []string {
	return []string{
		"refresh_token_rotation", "paging", "reference_filter_lag_ms", "limits", "retry_after", "lock_answer", "hours_zero_starts_timer",
		"missing_account_header", "foreign_account", "delete_body", "company_for_members", "restart_new_entry", "hours_on_timestamp_account",
		"drop_external_reference", "approval_touches_entries", "rename_touches_entries", "timer_touches_entries", "null_assignments",
		"order_in_day", "notes_limit", "reference_limit", "hours_and_times", "hours_digits", "project_requires", "limits_per", "throttle_body",
		"throttle_status", "code_life_s", "wrong_client", "registered_redirect", "budget_report_archived", "budget_report_without_budget", "account_mode", "clock", "time_format", "timezone", "rounding", "week_start_day",
	}
}
