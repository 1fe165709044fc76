package ledger

import (
	"context"
	"log/slog"
)

// Trace says on whose behalf something is done, so that one finds the way from a click to the call that it led to.
// It travels in the context; logs, writes and their attempts name what is in it.
type Trace struct {
	Request string // id of the request that asked for it; empty: nobody did
	JobID   int64  // the job that is at it; 0: none
	WriteID int64  // the write that is being brought on; 0: none
}

type traceKey struct{}

// WithTrace returns a context that carries the trace.
func WithTrace(ctx context.Context, t Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf returns what the context carries; the zero value if it carries none.
func TraceOf(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}

// TracedLog returns a handler that puts the trace of the context on each line.
func TracedLog(h slog.Handler) slog.Handler { return tracedLog{h} }

type tracedLog struct{ slog.Handler }

func (h tracedLog) Handle(ctx context.Context, r slog.Record) error {
	t := TraceOf(ctx)
	if t.Request != "" {
		r.AddAttrs(slog.String("request", t.Request))
	}
	if t.JobID != 0 {
		r.AddAttrs(slog.Int64("job", t.JobID))
	}
	if t.WriteID != 0 {
		r.AddAttrs(slog.Int64("write", t.WriteID))
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLog{h.Handler.WithAttrs(attrs)}
}

func (h tracedLog) WithGroup(name string) slog.Handler { return tracedLog{h.Handler.WithGroup(name)} }
