package harvest

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"furrow/ledger"
	"furrow/planner"
)

const (
	entriesPath = "/v2/time_entries"
	entryName   = "/v2/time_entries/{id}"
)

func entryPath(id int64) string { return entriesPath + "/" + strconv.FormatInt(id, 10) }

// EntryPages lists the user's time entries in pages of up to 2000, newest
// spent date first. While the consumer works on a page the next one is
// fetched, and nothing is left running when it stops.
//
// A page is given whole or not at all. Entries of other users are left out: an
// administrator's token sees everybody's as soon as the filter is lost
// (harvest-api.md, section 10.8). The page's Next is a path and query without
// host, checked again when a listing resumes there.
func (c *Client) EntryPages(ctx context.Context, filter ledger.EntryFilter) iter.Seq2[ledger.EntryPage, error] {
	return func(yield func(ledger.EntryPage, error) bool) {
		first := entriesPath + "?" + c.entryQuery(filter).Encode()
		if filter.Resume != "" {
			var err error
			if first, err = resumeLink(filter.Resume); err != nil {
				what := call{method: http.MethodGet, name: entriesPath}
				yield(ledger.EntryPage{}, c.failed(what, ledger.NotSent, ledger.ReasonUnreadable))
				return
			}
		}
		err := walk(ctx, c, entriesPath, first, decodeEntries, func(page ledger.EntryPage, next string) bool {
			page.Entries = c.own(page.Entries)
			page.Next = next
			return yield(page, nil)
		})
		if err != nil {
			yield(ledger.EntryPage{}, err)
		}
	}
}

func (c *Client) entryQuery(filter ledger.EntryFilter) url.Values {
	query := url.Values{"per_page": {c.h.perPage}}
	if c.credentials.UserID != 0 {
		query.Set("user_id", strconv.FormatInt(c.credentials.UserID, 10))
	}
	if filter.From != nil {
		query.Set("from", filter.From.String())
	}
	if filter.To != nil {
		query.Set("to", filter.To.String())
	}
	if !filter.UpdatedSince.IsZero() {
		query.Set("updated_since", filter.UpdatedSince.UTC().Truncate(time.Second).Format(time.RFC3339))
	}
	return query
}

// own keeps the entries of the user that the client acts for.
func (c *Client) own(entries []ledger.RemoteEntry) []ledger.RemoteEntry {
	if c.credentials.UserID == 0 {
		return entries
	}
	return slices.DeleteFunc(entries, func(e ledger.RemoteEntry) bool {
		return e.UserID != 0 && e.UserID != c.credentials.UserID
	})
}

// EntriesByReference returns the user's entries that carry our reference.
// Harvest filters by the id alone, which other programs share, so the group is
// compared here (harvest-api.md, section 9).
func (c *Client) EntriesByReference(ctx context.Context, reference string) ([]ledger.RemoteEntry, error) {
	query := c.entryQuery(ledger.EntryFilter{})
	query.Set("external_reference_id", reference)
	var found []ledger.RemoteEntry
	err := walk(ctx, c, entriesPath, entriesPath+"?"+query.Encode(), decodeEntries, func(page ledger.EntryPage, _ string) bool {
		for _, e := range c.own(page.Entries) {
			if e.Is(reference) {
				found = append(found, e)
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b ledger.RemoteEntry) int { return cmp.Compare(a.ID, b.ID) })
	// Rows can repeat when entries change between two pages.
	return slices.CompactFunc(found, func(a, b ledger.RemoteEntry) bool { return a.ID == b.ID }), nil
}

// Entry returns one time entry.
func (c *Client) Entry(ctx context.Context, id int64) (ledger.RemoteEntry, error) {
	return c.oneEntry(ctx, call{method: http.MethodGet, path: entryPath(id), name: entryName}, func(e ledger.RemoteEntry) error {
		return sameID(e, id)
	})
}

// oneEntry makes a call that is answered with a time entry, which check must
// find to be the one that the call was about.
func (c *Client) oneEntry(ctx context.Context, what call, check func(ledger.RemoteEntry) error) (entry ledger.RemoteEntry, err error) {
	what.class = ledger.GateGeneral
	what.decode = func(body []byte) error {
		if entry, err = decodeEntry(body); err != nil {
			return err
		}
		return check(entry)
	}
	if err := c.do(ctx, what); err != nil {
		return ledger.RemoteEntry{}, err
	}
	return entry, nil
}

func sameID(e ledger.RemoteEntry, id int64) error {
	if e.ID != id {
		return errOtherEntry
	}
	return nil
}

type wireReference struct {
	ID        string `json:"id"`
	Group     string `json:"group_id"`
	Permalink string `json:"permalink,omitempty"`
}

// wireChange is the body of a create or an update. It never holds hours and
// times together: fields of the mode that an account is not in have done harm
// (harvest-api.md, section 7.1).
type wireChange struct {
	ProjectID   int64          `json:"project_id,omitempty"`
	TaskID      int64          `json:"task_id,omitempty"`
	SpentDate   string         `json:"spent_date,omitempty"`
	Hours       number         `json:"hours,omitempty"`
	StartedTime string         `json:"started_time,omitempty"`
	EndedTime   string         `json:"ended_time,omitempty"`
	Notes       *string        `json:"notes,omitempty"`
	Reference   *wireReference `json:"external_reference,omitempty"`
}

// setTime says how long the entry is, in the fields of the account's mode. why
// is empty, or tells why that cannot be said: Harvest takes 0 hours, and a start
// without an end, for "start a timer" (harvest-api.md, section 7.1).
func (w *wireChange) setTime(c Credentials, hours planner.Hours, start planner.TimeOfDay) (why ledger.Reason) {
	end := ledger.Entry{Hours: hours, Start: start}.End()
	switch {
	case hours < 1:
		return ledger.ReasonInvalid
	case !c.TimestampTimers:
		w.Hours = number(hours.Decimal())
	case end.IsZero():
		return ledger.ReasonTimes
	default:
		w.StartedTime, w.EndedTime = start.Format(c.Clock), end.Format(c.Clock)
	}
	return ""
}

// CreateEntry makes a time entry (timesheets-api/timesheets/time-entries,
// "create a time entry via duration" and "via start and end time"). In accounts
// that track durations it sends the hours, and the entry's start is not told;
// in those that track start and end times it sends the two times and no hours.
// Hours below 0.01 are refused without being sent, and so is an entry without
// times where those are tracked, with [ledger.ReasonTimes].
//
// The answer is believed if it carries our reference or, should Harvest have
// dropped that, project, task and date as sent; otherwise the outcome is
// Unknown. Other differences are returned for the caller to compare. An entry
// that comes back with a running timer is stopped; if that fails it is
// returned running, because it has been created all the same.
func (c *Client) CreateEntry(ctx context.Context, entry ledger.Entry, reference, permalink string) (ledger.RemoteEntry, error) {
	what := call{method: http.MethodPost, path: entriesPath, name: entriesPath}
	body := wireChange{
		ProjectID: entry.ProjectID,
		TaskID:    entry.TaskID,
		SpentDate: entry.SpentDate.String(),
		Notes:     &entry.Notes,
		Reference: &wireReference{ID: reference, Group: ledger.ReferenceGroup, Permalink: permalink},
	}
	if why := body.setTime(c.credentials, entry.Hours, entry.Start); why != "" {
		return ledger.RemoteEntry{}, c.failed(what, ledger.Refused, why)
	}
	var err error
	if what.body, err = json.Marshal(body); err != nil {
		return ledger.RemoteEntry{}, c.failed(what, ledger.Refused, ledger.ReasonInvalid)
	}
	created, err := c.oneEntry(ctx, what, func(e ledger.RemoteEntry) error {
		bare := e.ReferenceID == "" && e.ProjectID == entry.ProjectID && e.TaskID == entry.TaskID && e.SpentDate == entry.SpentDate
		if !e.Is(reference) && !bare {
			return errOtherEntry
		}
		return nil
	})
	if err != nil || !created.IsRunning {
		return created, err
	}
	c.h.log.WarnContext(ctx, "harvest started a timer for a created entry", "connection", c.credentials.ConnectionID, "entry", created.ID)
	stop := call{method: http.MethodPatch, path: entryPath(created.ID) + "/stop", name: entryName + "/stop"}
	stopped, err := c.oneEntry(ctx, stop, func(e ledger.RemoteEntry) error { return sameID(e, created.ID) })
	if err != nil {
		return created, nil // created it is; the timer is told by IsRunning
	}
	return stopped, nil
}

// UpdateEntry changes the given fields and no others: echoed fields have
// doubled hours before (harvest-api.md, section 7.2). Without changes it
// returns the entry as it is. Hours and a start that [Client.CreateEntry] would
// not send are refused without being sent here too; where times are tracked
// both are told again, so that the hours are right whatever they were. Harvest
// may drop a change to a locked entry silently (section 8), so the caller
// compares the answer.
func (c *Client) UpdateEntry(ctx context.Context, id int64, changes ledger.Changes) (ledger.RemoteEntry, error) {
	if !changes.Any() {
		return c.Entry(ctx, id)
	}
	what := call{method: http.MethodPatch, path: entryPath(id), name: entryName}
	change := wireChange{Notes: changes.Notes}
	if changes.ProjectID != nil && changes.TaskID != nil {
		change.ProjectID, change.TaskID = *changes.ProjectID, *changes.TaskID
	}
	if changes.SpentDate != nil {
		change.SpentDate = changes.SpentDate.String()
	}
	if changes.Hours != nil {
		var start planner.TimeOfDay
		if changes.Start != nil {
			start = *changes.Start
		}
		if why := change.setTime(c.credentials, *changes.Hours, start); why != "" {
			return ledger.RemoteEntry{}, c.failed(what, ledger.Refused, why)
		}
	}
	var err error
	if what.body, err = json.Marshal(change); err != nil {
		return ledger.RemoteEntry{}, c.failed(what, ledger.Refused, ledger.ReasonInvalid)
	}
	return c.oneEntry(ctx, what, func(e ledger.RemoteEntry) error { return sameID(e, id) })
}

// DeleteEntry removes an entry. Harvest was seen to answer with the deleted
// entry and with nothing (harvest-api.md, section 10).
func (c *Client) DeleteEntry(ctx context.Context, id int64) error {
	return c.do(ctx, call{
		method: http.MethodDelete, path: entryPath(id), name: entryName, class: ledger.GateGeneral, emptyOK: true,
		decode: func(body []byte) error {
			var deleted struct {
				ID number `json:"id"`
			}
			if err := json.Unmarshal(body, &deleted); err != nil {
				return describe(err)
			}
			if answered, err := integer(deleted.ID); err != nil || answered != 0 && answered != id {
				return errOtherEntry
			}
			return nil
		},
	})
}
