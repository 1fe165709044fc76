package handlers

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"furrow/db"
	"furrow/jobs"
	"furrow/planner"
	"furrow/views"
)

// adminHandler is what admins see of everybody, and may set in motion again.
// Each action is audited in the transaction that does it.
type adminHandler struct {
	*site
	store   *db.Store
	queue   *jobs.Queue
	version string // of the program
}

// moments tells instants to the reader of the request.
func (h *adminHandler) moments(r *http.Request) func(time.Time) views.Moment {
	profile, now := currentUser(r).Profile, h.now()
	zone := profile.Location()
	return func(t time.Time) views.Moment { return views.MomentAt(t, now, zone, profile.Clock) }
}

// mostAudited is how many ids an audit row names.
const mostAudited = 100

func someOf(ids []int64) []int64 { return ids[:min(len(ids), mostAudited)] }

// table shows one of the tabs that are plain tables.
func (h *adminHandler) table(w http.ResponseWriter, r *http.Request, page views.AdminTablePage) error {
	page.Chrome = h.chrome(r, page.Heading, views.NavAdmin)
	page.Table.Heading = page.Heading
	return h.render(w, r, http.StatusOK, page.View())
}

// thing shows one thing that operators look at and act on.
func (h *adminHandler) thing(w http.ResponseWriter, r *http.Request, status int, page views.AdminThingPage) error {
	page.Chrome = h.chrome(r, page.Heading, views.NavAdmin)
	return h.render(w, r, status, page.View())
}

// live is the polled part of a tab.
func (h *adminHandler) live(w http.ResponseWriter, r *http.Request) error {
	tables := map[views.AdminNav]func(*http.Request) (views.AdminTablePage, error){
		views.AdminConnections: h.connectionsPage, views.AdminLimits: h.limitsPage, views.AdminQueues: h.queuesPage,
	}
	tab := views.AdminNav(r.PathValue("tab"))
	if tab == views.AdminHome {
		overview, err := h.overviewOf(r)
		if err != nil {
			return err
		}
		return h.render(w, r, http.StatusOK, overview.View())
	}
	pageOf, ok := tables[tab]
	if !ok {
		return planner.ErrNotFound
	}
	page, err := pageOf(r)
	if err != nil {
		return err
	}
	page.Table.Heading = page.Heading
	return h.render(w, r, http.StatusOK, page.Table.View())
}

// mayAct reports whether the reader may do what the admin pages offer.
func mayAct(r *http.Request) bool { return currentUser(r).Role.May(db.RoleOperator) }

// The limits of what an operator gives as a reason, in characters.
const (
	leastReason = 3
	mostReason  = 200
)

// holdTerms are for how long something may be held back.
func holdTerms() []views.Option {
	return []views.Option{
		{Value: "15m", Label: "15 minutes"}, {Value: "1h", Label: "1 hour"}, {Value: "4h", Label: "4 hours"},
		{Value: "24h", Label: "1 day"}, {Value: "168h", Label: "1 week"},
	}
}

// holdForm is why and for how long something is held back, as it was typed.
type holdForm struct{ reason, term string }

func readHold(r *http.Request) (holdForm, error) {
	f, err := readForm(r)
	if err != nil {
		return holdForm{}, err
	}
	return holdForm{strings.Join(strings.Fields(f.Get("reason")), " "), f.Get("term")}, nil
}

func (f holdForm) parse() (term time.Duration, errs planner.FieldErrors) {
	errs = planner.FieldErrors{}
	if n := utf8.RuneCountInString(f.reason); n < leastReason || n > mostReason {
		errs["reason"] = "Say why, in at most 200 characters."
	}
	if !slices.ContainsFunc(holdTerms(), func(o views.Option) bool { return o.Value == f.term }) {
		errs["term"] = "Choose for how long."
		return 0, errs
	}
	term, _ = time.ParseDuration(f.term) // it is one of ours
	return term, errs
}

// fields are the form, as it was typed, with what is wrong with it.
func (f holdForm) fields(errs planner.FieldErrors, help string) []views.AdminField {
	terms := choose(cmp.Or(f.term, "1h"), holdTerms())
	return []views.AdminField{
		{Name: "reason", Label: "Why", Value: f.reason, Help: help, Error: errs["reason"]},
		{Name: "term", Label: "For how long", Options: terms, Error: errs["term"]},
	}
}

// statusOf is the status of a page with a form.
func statusOf(errs planner.FieldErrors) int {
	if len(errs) > 0 {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// choices are the choices of a filter, the empty one first.
func choices(chosen, all string, pairs ...string) []views.Option {
	options := []views.Option{{Label: all}}
	for i := 0; i+1 < len(pairs); i += 2 {
		options = append(options, views.Option{Value: pairs[i], Label: pairs[i+1]})
	}
	return choose(chosen, options)
}

// span tells a time that has passed or is to pass: "40 s", "12 min", "3 h",
// "2 days".
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(max(d, 0).Seconds())) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + " days"
	}
}

func orWords(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
