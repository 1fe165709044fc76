package jobs

import (
	"time"

	"github.com/riverqueue/river"
)

// Queues, each with workers of its own, so that a flood of pulls never keeps a
// push waiting.
const (
	queuePush    = "push"
	queuePull    = "pull"
	queueUpkeep  = "upkeep"
	queueNotices = "notices"
)

// PushArgs is the doorbell of a connection: there may be writes to send. Any
// number of them may be queued; whoever holds the connection's lease works, and
// the others go away.
type PushArgs struct {
	ConnectionID int64 `json:"connection_id"`
}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (PushArgs) Kind() string { return "harvest_push" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (PushArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queuePush, Priority: 1, MaxAttempts: 10}
}

// PullArgs asks for a sync run to be done.
type PullArgs struct {
	SyncRunID int64 `json:"sync_run_id"`
}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (PullArgs) Kind() string { return "harvest_pull" }

// InsertOpts implements [river.JobArgsWithInsertOpts].
func (PullArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queuePull, Priority: 2, MaxAttempts: pullAttempts}
}

// pullAttempts is how often a pull is tried before it is given up: with waits
// that grow to a minute, about half an hour of an outage. The schedule starts
// another one after that.
const pullAttempts = 30

// RecurArgs asks for the recurring work of everybody to be planned up to its
// horizon.
type RecurArgs struct{}

// Kind implements [river.JobArgs]. It outlives deploys and never changes.
func (RecurArgs) Kind() string { return "plan_recurrences" }

// InsertOpts implements [river.JobArgsWithInsertOpts]. Whichever process leads, or
// leads next, there is one job a day.
func (RecurArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueUpkeep, Priority: 4, MaxAttempts: 5, UniqueOpts: river.UniqueOpts{ByPeriod: recurEvery}}
}

const recurEvery = 24 * time.Hour
