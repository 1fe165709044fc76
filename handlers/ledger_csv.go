package handlers

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
)

// export is all that the filters choose, newest first, as CSV.
func (h *ledgerHandler) export(w http.ResponseWriter, r *http.Request) error {
	f, _, err := h.filterOf(r)
	if err != nil {
		return err
	}
	user := currentUser(r)
	chosen := f.chosen(user.ID)
	chosen.States, chosen.Most = f.group.states, csvBatch
	return sendCSV(h.site, w, r, csvFile[db.WriteRecord]{
		name: "furrow-ledger",
		header: []string{
			"id", "queued", "week", "date", "client", "project", "task", "operation", "hours", "note",
			"state", "reason", "attempts", "settled", "harvest_entry_id", "reference",
		},
		row: newTeller(user.Profile, h.now()).csvRow,
		next: func(ctx context.Context, last *db.WriteRecord) ([]db.WriteRecord, error) {
			if last != nil {
				chosen.Before = last.ID
			}
			return h.store.Writes(ctx, chosen)
		},
	})
}

// csvRow tells a write as a row of the file. hours are those that the entry is
// to have, if the write says so.
func (to teller) csvRow(w *db.WriteRecord) []string {
	shown := to.write(w)
	hours, entryID := "", ""
	if shown.Line.Amount != "" {
		hours = w.Entry.Hours.Decimal()
	}
	if w.RemoteID != 0 {
		entryID = strconv.FormatInt(w.RemoteID, 10)
	}
	return []string{
		strconv.FormatInt(w.ID, 10), to.csvTime(w.CreatedAt), planner.WeekOf(w.Entry.SpentDate, to.profile.WeekStart).String(), w.Entry.SpentDate.String(),
		w.Client, w.Project, w.Task, strings.ReplaceAll(string(w.Op), "_", " "), hours, w.Entry.Notes,
		shown.StateWord(), sentences(shown.Why, harvestSaid(shown.Message)), strconv.Itoa(shown.Attempts), to.csvTime(w.FinishedAt), entryID, w.Reference,
	}
}

// csvTime is an instant in the reader's zone; empty if there is none.
func (to teller) csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(to.zone).Format(time.RFC3339)
}
