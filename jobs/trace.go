package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"furrow/ledger"
)

// trace hands on, with each job, the id of the request that asked for it, and tells of each run.
type trace struct {
	river.MiddlewareDefaults

	log      *slog.Logger
	observer Observer
}

// traced is what a job's metadata say of where it comes from.
type traced struct {
	Request string `json:"request,omitempty"`
}

// InsertMany implements [rivertype.JobInsertMiddleware].
func (t *trace) InsertMany(
	ctx context.Context, many []*rivertype.JobInsertParams, insert func(context.Context) ([]*rivertype.JobInsertResult, error),
) ([]*rivertype.JobInsertResult, error) {
	if request := ledger.TraceOf(ctx).Request; request != "" {
		metadata, err := json.Marshal(traced{request})
		if err != nil {
			return nil, err
		}
		for _, params := range many {
			if len(params.Metadata) <= len("{}") { // none of ours has any
				params.Metadata = metadata
			}
		}
	}
	return insert(ctx)
}

// Work implements [rivertype.WorkerMiddleware].
func (t *trace) Work(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	var from traced
	_ = json.Unmarshal(job.Metadata, &from) // of a version to come; then its origin is not known
	ctx = ledger.WithTrace(ctx, ledger.Trace{Request: from.Request, JobID: job.ID})
	began := time.Now()
	waited := max(began.Sub(job.ScheduledAt), 0)
	err := work(ctx)
	took := time.Since(began)
	var snooze *river.JobSnoozeError
	level, outcome := slog.LevelDebug, "done"
	switch {
	case errors.As(err, &snooze):
		outcome = "waits"
	case err != nil:
		level, outcome = slog.LevelInfo, "failed"
	}
	attrs := []slog.Attr{
		slog.String("kind", job.Kind), slog.Int("attempt", job.Attempt), slog.String("outcome", outcome), slog.Duration("waited", waited), slog.Duration("took", took),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	t.observer.Job(job.Kind, outcome, waited, took)
	t.log.LogAttrs(ctx, level, "job", attrs...)
	return err
}
