package handlers

import (
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/planner"
)

// csvBatch is how many writes of an export are held at once.
const csvBatch = 500

// export is all that the filters choose, newest first, as CSV (RFC 4180). It is
// sent while it is read, so it may take longer than other answers: each batch
// has the time of a request. One that breaks off ends the connection, so that
// what came is not taken for all.
func (h *ledgerHandler) export(w http.ResponseWriter, r *http.Request) error {
	f, _, err := h.filterOf(r)
	if err != nil {
		return err
	}
	user := currentUser(r)
	to := newTeller(user.Profile, h.now())
	chosen := f.chosen(user.ID)
	chosen.States, chosen.Most = f.group.states, csvBatch
	batch, err := h.store.Writes(r.Context(), chosen)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="furrow-ledger-`+user.Profile.Today(to.now).String()+`.csv"`)
	ctx := context.WithoutCancel(r.Context()) // its end is that of a request; a client that leaves fails the writing
	out := csv.NewWriter(w)
	out.UseCRLF = true
	err = out.Write(csvHeader())
	for err == nil && len(batch) > 0 {
		if err = to.writeBatch(out, batch); err != nil || len(batch) < csvBatch {
			break
		}
		chosen.Before = batch[len(batch)-1].ID
		batch, err = h.nextBatch(ctx, w, chosen)
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		h.log.WarnContext(ctx, "export broke off", "error", err.Error(), "user", user.ID)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// nextBatch reads on, and gives the client time for what is written meanwhile.
func (h *ledgerHandler) nextBatch(ctx context.Context, w http.ResponseWriter, chosen db.WriteFilter) ([]db.WriteRecord, error) {
	if err := extendDeadline(w); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return h.store.Writes(ctx, chosen)
}

// extendDeadline gives the client the time of two requests more.
func extendDeadline(w http.ResponseWriter) error {
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * requestTimeout))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

func (to teller) writeBatch(out *csv.Writer, batch []db.WriteRecord) error {
	for i := range batch {
		if err := out.Write(to.csvRow(&batch[i])); err != nil {
			return err
		}
	}
	return nil
}

func csvHeader() []string {
	return []string{
		"id", "queued", "week", "date", "client", "project", "task", "operation", "hours", "note",
		"state", "reason", "attempts", "settled", "harvest_entry_id", "reference",
	}
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
	row := []string{
		strconv.FormatInt(w.ID, 10), to.csvTime(w.CreatedAt), planner.WeekOf(w.Entry.SpentDate, to.profile.WeekStart).String(), w.Entry.SpentDate.String(),
		w.Client, w.Project, w.Task, strings.ReplaceAll(string(w.Op), "_", " "), hours, w.Entry.Notes,
		shown.StateWord(), sentences(shown.Why, harvestSaid(shown.Message)), strconv.Itoa(shown.Attempts), to.csvTime(w.FinishedAt), entryID, w.Reference,
	}
	for i, cell := range row {
		row[i] = db.HarmlessCell(cell)
	}
	return row
}

// csvTime is an instant in the reader's zone; empty if there is none.
func (to teller) csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(to.zone).Format(time.RFC3339)
}
