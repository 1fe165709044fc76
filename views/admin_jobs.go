package views

// AdminJobsPage lists the jobs of the queue.
type AdminJobsPage struct {
	Chrome Chrome
	Filter JobsFilter
	List   JobsList
}

// JobsFilter is the form over the list.
type JobsFilter struct {
	Query         JobQuery
	Kinds, Queues []Option
}

// JobsList is the part of the page that changes by itself. While Poll is set it
// asks for itself every two seconds.
type JobsList struct {
	Query   JobQuery
	States  []CountedLink
	Actions []CountedLink // on all that match; none for those who may only look
	Jobs    []Job
	CanAct  bool
	Next    string // address of the next page; empty on the last one
	Short   bool   // the page ends where the search stopped
	Poll    string
}

// first leads to the first page.
func (l JobsList) first() string {
	q := l.Query
	q.Before = ""
	return AdminJobsURL(q)
}

// cleared leads to the list without filters, but the state.
func (l JobsList) cleared() string { return AdminJobsURL(JobQuery{State: l.Query.State}) }

func (l JobsList) next() string {
	if l.Short {
		return "Look further"
	}
	return "Older"
}

// Job is a job of the queue.
type Job struct {
	ID          int64
	Kind        string
	Queue       string
	Args        string // JSON; ids only
	State       string // the queue's word
	Good        bool   // the state needs nobody
	Attempt     int
	MaxAttempts int
	Created     Moment
	Began       Moment // of the latest run, while it runs
	Scheduled   Moment // next run, if it waits
	Finished    Moment
	Waits       string     // what for, if that is no failure: "Waited for Harvest 3 times"
	Rescued     string     // "Its process died"
	Request     string     // ours, that asked for it
	Errors      []JobError // latest first
	CanRetry    bool
	CanCancel   bool
	Conflict    string // why the last action was refused
}

// JobError is one failed run.
type JobError struct {
	At      Moment
	Attempt int
	Text    string
}

// class is the mark of a job's state.
func (j *Job) class() string {
	switch {
	case j.Good && !j.Finished.IsZero():
		return "s-sent"
	case j.Good:
		return "s-waiting"
	default:
		return "s-needs"
	}
}
