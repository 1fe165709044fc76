package jobs

import "context"

// List returns the jobs of a [Queue.Page].
func (q *Queue) List(ctx context.Context, f Filter) ([]Record, error) {
	page, err := q.Page(ctx, f)
	return page.Jobs, err
}
