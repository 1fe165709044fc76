package views

// AdminNav is a tab of the admin pages.
type AdminNav string

// The tabs.
const (
	AdminWrites      AdminNav = "writes"
	AdminJobs        AdminNav = "jobs"
	AdminConnections AdminNav = "connections"
	AdminLimits      AdminNav = "limits"
	AdminAudit       AdminNav = "audit"
	AdminUsers       AdminNav = "users"
)

// AdminWritesPage lists writes of all users.
type AdminWritesPage struct {
	Chrome    Chrome
	States    []Option // counts are shown; the empty value is "all"
	Writes    []Write
	Older     string
	State     string // the filter in force
	Retryable int    // how many writes match the filter and may be retried
}

// AdminJobsPage lists the jobs of the queue.
type AdminJobsPage struct {
	Chrome    Chrome
	States    []Option
	Jobs      []Job
	Older     string
	State     string
	Retryable int
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
	Scheduled   Moment // next run, if it waits
	Finished    Moment
	Errors      []JobError // latest first
	CanRetry    bool
	Conflict    string // why the last retry was refused
}

// JobError is one failed run.
type JobError struct {
	At   Moment
	Text string
}

// AdminTablePage is a plain table: connections, limits, audit, users.
type AdminTablePage struct {
	Chrome  Chrome
	Tab     AdminNav
	Heading string
	Intro   string
	Columns []Column
	Rows    [][]TableCell
	Empty   string // said when there are no rows
	Older   string
}

// Column is a heading of a table.
type Column struct {
	Name    string
	Numbers bool // set right-aligned, in tabular figures
}

// TableCell is text with, at most, an address, a tone, or actions.
type TableCell struct {
	Text    string
	URL     string
	Tone    FlashKind // good, bad, or none
	Actions []TableAction
}

// TableAction is a button of a row.
type TableAction struct {
	URL   string // where it posts to
	Label string
	Of    string // what it is done to, for those who do not see the row
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

func columnClass(c Column) string {
	if c.Numbers {
		return "num"
	}
	return "text"
}

// cellClass is the class of the i-th column; further cells are text.
func (p AdminTablePage) cellClass(i int) string {
	if i < len(p.Columns) {
		return columnClass(p.Columns[i])
	}
	return "text"
}
