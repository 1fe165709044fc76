package db

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
)

// Observer is told of each query that a pool made, by the name it has in queries/, "batch" for several that were
// sent as one, or "other". It is called by many at once, and must be quick.
type Observer interface {
	Query(name string, took time.Duration, err error)
}

// observed tells an observer of queries.
type observed struct{ to Observer }

type (
	queryKey struct{}
	batchKey struct{}
)

type begun struct {
	name string
	at   time.Time
}

func (o observed) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, queryKey{}, begun{queryName(data.SQL), time.Now()})
}

func (o observed) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if b, ok := ctx.Value(queryKey{}).(begun); ok {
		o.to.Query(b.name, time.Since(b.at), data.Err)
	}
}

func (o observed) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return context.WithValue(ctx, batchKey{}, begun{"batch", time.Now()})
}

func (o observed) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (o observed) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	if b, ok := ctx.Value(batchKey{}).(begun); ok {
		o.to.Query(b.name, time.Since(b.at), data.Err)
	}
}

// queryName is the name that sqlc leaves in front of a query.
func queryName(sql string) string {
	rest, ok := strings.CutPrefix(sql, "-- name: ")
	if !ok {
		return "other"
	}
	name, _, _ := strings.Cut(rest, " ")
	return name
}

// tracerOf joins those who watch a pool; nil if nobody does.
func tracerOf(impatient *impatience, observers []Observer) pgx.QueryTracer {
	var tracers []pgx.QueryTracer
	if impatient != nil {
		tracers = append(tracers, impatient)
	}
	for _, o := range observers {
		tracers = append(tracers, observed{o})
	}
	switch len(tracers) {
	case 0:
		return nil
	case 1:
		return tracers[0]
	default:
		return multitracer.New(tracers...)
	}
}
