package handlers

import (
	"context"
	"encoding/csv"
	"errors"
	"net/http"
	"time"

	"furrow/db"
)

// csvBatch is how many rows of an export are held at once.
const csvBatch = 500

// csvFile is a list that is sent as CSV (RFC 4180).
type csvFile[T any] struct {
	name   string // of the file, before the date
	header []string
	row    func(*T) []string
	// next reads up to csvBatch of the list behind last, or its beginning if that
	// is nil.
	next func(ctx context.Context, last *T) ([]T, error)
}

// sendCSV sends a list while it is read, so it may take longer than other
// answers: each batch has the time of a request. One that breaks off ends the
// connection, so that what came is not taken for all.
func sendCSV[T any](s *site, w http.ResponseWriter, r *http.Request, file csvFile[T]) error {
	batch, err := file.next(r.Context(), nil)
	if err != nil {
		return err
	}
	user := currentUser(r)
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+file.name+"-"+user.Profile.Today(s.now()).String()+`.csv"`)
	ctx := context.WithoutCancel(r.Context()) // its end is that of a request; a client that leaves fails the writing
	out := csv.NewWriter(w)
	out.UseCRLF = true
	err = out.Write(file.header)
	for err == nil && len(batch) > 0 {
		if err = file.write(out, batch); err != nil || len(batch) < csvBatch {
			break
		}
		batch, err = file.readOn(ctx, w, &batch[csvBatch-1])
	}
	out.Flush()
	if err = errors.Join(err, out.Error()); err != nil {
		s.log.WarnContext(ctx, "export broke off", "error", err.Error(), "user", user.ID)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (f *csvFile[T]) write(out *csv.Writer, batch []T) error {
	for i := range batch {
		row := f.row(&batch[i])
		for n, cell := range row {
			row[n] = db.HarmlessCell(cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// readOn reads the next batch, and gives the client time for what is written
// meanwhile.
func (f *csvFile[T]) readOn(ctx context.Context, w http.ResponseWriter, last *T) ([]T, error) {
	if err := extendDeadline(w); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return f.next(ctx, last)
}

// extendDeadline gives the client the time of two requests more.
func extendDeadline(w http.ResponseWriter) error {
	err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * requestTimeout))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
