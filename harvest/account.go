package harvest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"furrow/ledger"
	"furrow/planner"
)

// accountTimeout ends Account: somebody has just pasted a token and waits.
const accountTimeout = 4500 * time.Millisecond

// defaultCapacity is Harvest's own for a new user, 35 hours a week.
const defaultCapacity planner.Minutes = 35 * 60

// wireMe is the user that a token belongs to (users-api/users).
type wireMe struct {
	ID             number `json:"id"`
	FirstName      string `json:"first_name"`
	LastName       string `json:"last_name"`
	Email          string `json:"email"`
	TimeZone       string `json:"timezone"`
	WeeklyCapacity number `json:"weekly_capacity"` // seconds
}

// wireCompany holds the account's settings (company-api).
type wireCompany struct {
	BaseURI         string `json:"base_uri"`
	Name            string `json:"name"`
	WeekStartDay    string `json:"week_start_day"`
	TimestampTimers bool   `json:"wants_timestamp_timers"`
	TimeFormat      string `json:"time_format"`
	Clock           string `json:"clock"`
	WeeklyCapacity  number `json:"weekly_capacity"` // seconds
}

// Account asks who the credentials belong to and for the settings of the
// account. It is made for verifying credentials: two calls, over in less than
// five seconds whatever happens.
//
// A token that is not accepted gives [ledger.ErrAccessRevoked]. A wrong account
// id is answered in ways that are not documented (harvest-api.md, section 2.1):
// it gives that too, or a CallError with ReasonForbidden or ReasonNotFound.
//
// The company is for administrators; others may get 403 (section 7.1). Then
// CompanyVisible is false, the week starts on Monday, and the clock, the format
// of durations and the mode of tracking hold defaults too. A time zone that is
// not known becomes UTC.
func (c *Client) Account(ctx context.Context) (ledger.Account, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, accountTimeout, errDeadline)
	defer cancel()

	var me wireMe
	var userID int64
	err := c.do(ctx, call{
		method: http.MethodGet, path: "/v2/users/me", name: "/v2/users/me", class: ledger.GateGeneral,
		decode: func(body []byte) (err error) {
			if err := json.Unmarshal(body, &me); err != nil {
				return describe(err)
			}
			if userID, err = integer(me.ID); err != nil || userID <= 0 {
				return errNoUser
			}
			return nil
		},
	})
	if err != nil {
		return ledger.Account{}, err
	}
	account := ledger.Account{
		AccountID:      c.credentials.AccountID,
		UserID:         userID,
		UserName:       plain(strings.TrimSpace(me.FirstName + " " + me.LastName)),
		Email:          plain(me.Email),
		WeekStart:      time.Monday,
		Clock:          "24h",
		DurationFormat: planner.HoursMinutes,
		WeeklyCapacity: capacity(me.WeeklyCapacity),
	}
	var known bool
	if account.TimeZone, known = zone(me.TimeZone); !known {
		c.h.log.WarnContext(ctx, "unknown time zone, using UTC", "connection", c.credentials.ConnectionID, "zone", clip(me.TimeZone, 60))
	}

	var company wireCompany
	err = c.do(ctx, call{
		method: http.MethodGet, path: "/v2/company", name: "/v2/company", class: ledger.GateGeneral,
		decode: func(body []byte) error {
			if err := json.Unmarshal(body, &company); err != nil {
				return describe(err)
			}
			return nil
		},
	})
	var refused *ledger.CallError
	switch {
	case errors.As(err, &refused) && refused.Class == ledger.Refused && refused.Reason == ledger.ReasonForbidden:
	case err != nil:
		return ledger.Account{}, err
	default:
		company.apply(&account)
	}
	if account.WeeklyCapacity == 0 {
		account.WeeklyCapacity = defaultCapacity
	}
	return account, nil
}

var errNoUser = errors.New("id: missing")

func (w wireCompany) apply(account *ledger.Account) {
	account.CompanyVisible = true
	account.CompanyName = plain(w.Name)
	account.BaseURI = webAddress(w.BaseURI)
	account.TimestampTimers = w.TimestampTimers
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(w.WeekStartDay, day.String()) {
			account.WeekStart = day
		}
	}
	if w.Clock == "12h" {
		account.Clock = w.Clock
	}
	if w.TimeFormat == string(planner.Decimal) {
		account.DurationFormat = planner.Decimal
	}
	if account.WeeklyCapacity == 0 {
		account.WeeklyCapacity = capacity(w.WeeklyCapacity)
	}
}

// capacity reads seconds per week and rounds them to minutes; 0 if Harvest
// gives none that a week can hold.
func capacity(seconds number) planner.Minutes {
	s, err := integer(seconds)
	if err != nil || s < 0 || s > int64(planner.DaysInWeek*planner.MaxCell*60) {
		return 0
	}
	return planner.Minutes((s + 30) / 60)
}

// webAddress returns address if it can stand in a link, else nothing.
func webAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return strings.TrimRight(u.String(), "/")
	}
	return ""
}
