package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// auditFilterOf reads the filters of the address: days are the reader's own.
func auditFilterOf(query url.Values, zone *time.Location) (f db.AuditFilter, err error) {
	for _, text := range query {
		if slices.ContainsFunc(text, func(t string) bool { return !storable(t) }) {
			return f, fmt.Errorf("filter %q: %w", text, planner.ErrNotFound)
		}
	}
	f = db.AuditFilter{Actor: db.NormalEmail(query.Get("actor")), Action: query.Get("action"), Subject: strings.TrimSpace(query.Get("subject")), Most: pageOfWrites + 1}
	if f.Since, err = startOfDay(query.Get("from"), zone, 0); err != nil {
		return f, err
	}
	if f.Until, err = startOfDay(query.Get("to"), zone, 1); err != nil {
		return f, err
	}
	f.Before, err = auditPlaceOf(query.Get("before"))
	return f, err
}

// startOfDay is when a day begins that is so many after a date; zero for none.
func startOfDay(text string, zone *time.Location, after int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err != nil {
		return day, fmt.Errorf("day %q: %w", text, planner.ErrNotFound)
	}
	return day.AddDate(0, 0, after), nil
}

func (h *adminHandler) audit(w http.ResponseWriter, r *http.Request) error {
	query, zone := r.URL.Query(), currentUser(r).Profile.Location()
	f, err := auditFilterOf(query, zone)
	if err != nil {
		return err
	}
	events, err := h.store.AuditEvents(r.Context(), f)
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminAudit, Heading: "Audit", Intro: "What was done here, by whom and to what, newest first.",
		Filter: &views.AdminFilter{Path: views.AdminAuditPath, Fields: []views.AdminField{
			{Name: "actor", Label: "Who", Value: query.Get("actor"), Most: mostSearched, Hint: "ida@example.com"},
			{Name: "action", Label: "What", Options: auditOptions(f.Action)},
			{Name: "subject", Label: "To what", Value: f.Subject, Most: mostSearched, Hint: "write 12, user 3"},
			{Name: "from", Label: "From", Type: "date", Value: query.Get("from")},
			{Name: "to", Label: "To", Type: "date", Value: query.Get("to")},
		}},
		Table: views.AdminTable{
			Columns: []views.Column{{Name: "When", Short: true}, {Name: "Who"}, {Name: "What"}, {Name: "To what", Short: true}, {Name: "Before and after"}},
			Empty:   "Nothing was done yet.",
		},
	}
	query.Del("before")
	for name := range query {
		page.Filter.Filtered = page.Filter.Filtered || query.Get(name) != ""
	}
	if page.Filter.Filtered {
		page.Table.Empty = "Nothing matches."
	}
	if len(events) > pageOfWrites {
		events = events[:pageOfWrites]
		query.Set("before", placeAfter(events[pageOfWrites-1]))
		page.Table.Older = views.AdminAuditPath + "?" + query.Encode()
		query.Del("before")
	}
	if len(events) > 0 {
		page.Table.CSV = strings.TrimSuffix(views.AdminAuditCSVPath+"?"+query.Encode(), "?")
	}
	moment := h.moments(r)
	for _, e := range events {
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			{Text: moment(e.At).Text}, {Text: e.Actor}, {Text: auditWords(e.Action)}, auditSubject(e.Subject), auditDetail(e.Detail, moment),
		})
	}
	return h.table(w, r, page)
}

// auditDetail tells what was different before, and the rest as small print.
func auditDetail(detail string, moment func(time.Time) views.Moment) views.TableCell {
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(detail), &fields); err != nil {
		return views.TableCell{Text: detail}
	}
	cell := views.TableCell{}
	before, after := inZone(detailWords(fields["before"]), moment), inZone(detailWords(fields["after"]), moment)
	switch {
	case before != "" && after != "":
		cell.Text = before + " → " + after
	case after != "":
		cell.Text = "→ " + after
	}
	delete(fields, "before")
	delete(fields, "after")
	var rest []string
	for name, value := range fields {
		if said := detailWords(value); said != "" {
			rest = append(rest, name+": "+inZone(said, moment))
		}
	}
	slices.Sort(rest)
	cell.Note = strings.Join(rest, "; ")
	return cell
}

// inZone tells the instants in a text as the reader's clock does.
func inZone(text string, moment func(time.Time) views.Moment) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		if at, err := time.Parse(time.RFC3339, word); err == nil {
			words[i] = moment(at).Text
		}
	}
	return strings.Join(words, " ")
}

// detailWords tells a detail, and nothing of what in it is empty.
func detailWords(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case map[string]any:
		var words []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if said := detailWords(v[name]); said != "" && said != "0" && said != "0001-01-01T00:00:00Z" {
				words = append(words, name+" "+said)
			}
		}
		return strings.Join(words, ", ")
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = detailWords(v[i])
		}
		return strings.Join(words, ", ")
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
}

// exportAudit is all that the filters choose, newest first, as CSV.
func (h *adminHandler) exportAudit(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	f, err := auditFilterOf(r.URL.Query(), user.Profile.Location())
	if err != nil {
		return err
	}
	f.Most = csvBatch
	to := newTeller(user.Profile, h.now())
	return sendCSV(h.site, w, r, csvFile[db.AuditEvent]{
		name: "furrow-audit", header: []string{"id", "at", "actor", "action", "subject", "detail"},
		row: func(e *db.AuditEvent) []string {
			return []string{strconv.FormatInt(e.ID, 10), to.csvTime(e.At), e.Actor, e.Action, e.Subject, e.Detail}
		},
		next: func(ctx context.Context, last *db.AuditEvent) ([]db.AuditEvent, error) {
			if last != nil {
				f.Before = db.AuditPlace{At: last.At, ID: last.ID}
			}
			return h.store.AuditEvents(ctx, f)
		},
	})
}

// auditPlaceOf reads where a page of the audit begins: at the newest event if
// text is empty.
func auditPlaceOf(text string) (place db.AuditPlace, err error) {
	if text == "" {
		return place, nil
	}
	at, id, _ := strings.Cut(text, "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err == nil {
		place.At = time.UnixMicro(micros)
		place.ID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil || micros <= 0 || micros > 1<<54 || place.ID <= 0 {
		return db.AuditPlace{}, fmt.Errorf("page %q: %w", text, planner.ErrNotFound)
	}
	return place, nil
}

// placeAfter is what auditPlaceOf reads, for the page behind an event.
func placeAfter(e db.AuditEvent) string {
	return strconv.FormatInt(e.At.UnixMicro(), 10) + "-" + strconv.FormatInt(e.ID, 10)
}

// auditedAction is an action of the audit, and what it is called.
type auditedAction struct{ action, words string }

// auditedActions are all actions there are.
func auditedActions() []auditedAction {
	return []auditedAction{
		{"writes.retry", "tried a write again"},
		{"writes.look", "had a write looked up"},
		{"writes.cancel", "cancelled a write"},
		{"writes.resolve", "took what Harvest has for a write"},
		{"writes.drop", "dropped a write"},
		{"writes.retry_all", "ordered to try all writes again that match"},
		{"writes.look_all", "ordered to look up all writes that match"},
		{"writes.cancel_all", "ordered to cancel all writes that match"},
		{"writes.resolve_all", "ordered to take what Harvest has for all writes that match"},
		{"writes.drop_all", "ordered to drop all writes that match"},
		{"writes.retry_batch", "tried some writes of an order again"},
		{"writes.look_batch", "had some writes of an order looked up"},
		{"writes.cancel_batch", "cancelled some writes of an order"},
		{"writes.resolve_batch", "took what Harvest has for some writes of an order"},
		{"writes.drop_batch", "dropped some writes of an order"},
		{"breaker.open", "opened a breaker"},
		{"breaker.closed", "closed a breaker"},
		{"jobs.retry", "ran a job again"},
		{"jobs.retry_all", "ran jobs again that matched"},
		{"jobs.cancel", "cancelled a job"},
		{"jobs.cancel_all", "cancelled jobs that matched"},
		{"account.create", "made an account"},
		{"account.delete", "deleted an account"},
		{"account.export", "took everything of an account out"},
		{"password.reset", "gave an account a new password"},
		{"password.change", "changed their password"},
		{"sessions.revoke", "logged other devices of theirs out"},
		{"ledger.remove_double", "removed a double entry"},
		{"connections.pause", "paused a connection"},
		{"connections.resume", "ended the pause of a connection"},
		{"connections.sync", "started a sync for somebody"},
		{"queues.pause", "paused a queue"},
		{"queues.resume", "ended the pause of a queue"},
		{"schedules.run", "ran something at once"},
		{"users.role", "changed a role"},
		{"second_factor.enable", "began to log in with a second factor"},
		{"second_factor.disable", "gave up the second factor"},
		{"second_factor.reset", "took the second factor of an account away"},
		{"recovery_codes.make", "made new recovery codes"},
		{"recovery_codes.use", "logged in with a recovery code"},
		{"login.code_failed", "knew the password, but no code"},
		{"account.invite", "invited somebody"},
		{"account.uninvite", "took an invitation back"},
		{"account.join", "followed an invitation"},
		{"account.reset_link", "made a link to choose a new password"},
		{"account.reset", "chose a new password by a link"},
		{"key.rotate", "put a new secret key to use"},
		{"key.finish", "threw the old secret key away"},
	}
}

// auditWords tells an action of the audit.
func auditWords(action string) string {
	for _, a := range auditedActions() {
		if a.action == action {
			return a.words
		}
	}
	return action
}

// auditOptions are the choices of the filter "action".
func auditOptions(chosen string) []views.Option {
	var pairs []string
	for _, a := range auditedActions() {
		pairs = append(pairs, a.action, a.words)
	}
	return choices(chosen, "Everything", pairs...)
}

// auditSubject links to what something was done to.
func auditSubject(subject string) views.TableCell {
	cell := views.TableCell{Text: subject}
	kind, name, _ := strings.Cut(subject, " ")
	id, err := strconv.ParseInt(name, 10, 64)
	switch {
	case kind == "queue":
		cell.URL = views.AdminQueuePath(name)
	case kind == "gate":
		cell.URL = views.AdminGatePath(name)
	case err != nil:
	case kind == "write":
		cell.URL = views.AdminWritePath(id)
	case kind == "order":
		cell.URL = views.AdminOrderPath(id)
	case kind == "connection":
		cell.URL = views.AdminConnPath(id)
	case kind == "user":
		cell.URL = views.AdminUserPath(id)
	}
	return cell
}
