package notice

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Severity says how much an alert matters.
type Severity string

// The severities. An information is nobody's to act on.
const (
	Alarm       Severity = "alert"
	Information Severity = "information"
)

// Cause is something that is wrong, as the rules find it in [Facts].
type Cause struct {
	Key      string // the same for as long as the cause is the same
	Severity Severity
	UserID   int64         // whom to tell; 0: the operators
	Sentence string        // what is wrong
	Advice   string        // what to do about it
	Path     string        // the page that shows it
	Grace    time.Duration // how long it must last to be told
}

// Facts is what the rules go by, as it stood at one moment.
type Facts struct {
	Now time.Time
	// Stuck are writes that nothing keeps from being sent, and Failing those
	// that Harvest fails to take, in connections that are in order: those that
	// are older than [UnsentAge].
	Stuck, Failing Writes
	// Outage: the breaker of all calls to Harvest is not closed.
	Outage    bool
	Revoked   []Revoked // connections that Harvest refuses
	Queue     Queue
	Processes []Process
	// MailsUsers: there is a way to tell users.
	MailsUsers bool
}

// Writes are some writes.
type Writes struct {
	Count, Connections int
	Oldest             time.Time // when the oldest was confirmed; zero without any
}

// Revoked is a connection that needs its user.
type Revoked struct{ ConnectionID, UserID int64 }

// Queue is the state of the job queue.
type Queue struct {
	Due     int       // jobs whose time has come, in queues that are not paused
	DueAt   time.Time // when that of the first came; zero without any
	Kinds   []string  // their kinds
	Running time.Time // when the longest running job began; zero without any
	// PushPaused: an operator wants nothing sent.
	PushPaused bool
}

// Process is a process that runs, or did.
type Process struct {
	Host      string
	Works     bool // it works jobs
	StartedAt time.Time
	SeenAt    time.Time // when it last said so
	Finding   Finding
}

// Finding is what only a process itself can find.
type Finding struct {
	Disks   []Disk   `json:"disks,omitempty"`
	Foreign []int64  `json:"foreign,omitempty"` // connections whose credentials its key does not open; the first few
	Keys    []string `json:"keys,omitempty"`    // what its secret keys are told apart by; none in versions before
}

// Disk is a directory of a process, and how much may be stored there.
type Disk struct {
	Path  string `json:"path"`
	Free  uint64 `json:"free"` // bytes
	Total uint64 `json:"total"`
	Low   bool   `json:"low"` // by the limit of the process
}

// The times of the rules. A write alarms after 15 minutes: it is looked at from
// the tenth on, and must be in order and unsent for the rest, so that a queue
// which moves again after an outage is given the time to.
const (
	UnsentAge    = 10 * time.Minute
	unsentGrace  = 5 * time.Minute
	outageGrace  = 5 * time.Minute
	revokedGrace = time.Hour
	dueAge       = 2 * time.Minute
	runningAge   = 2 * time.Minute // a job is over after 45 s, and rescued after a minute
	queueGrace   = 3 * time.Minute // whoever has just started, or resumed a queue, is given that
	silentAge    = 5 * time.Minute // without a word of a worker
	freshAge     = 3 * time.Minute // what a process found counts for so long
)

// NoWorkers is the key of a cause in which nothing is delivered as usual.
const NoWorkers = "workers"

// The pages that causes lead to.
const (
	pageWrites      = "/admin/writes"
	pageJobs        = "/admin/jobs"
	pageConnections = "/admin/connections"
	pageLimits      = "/admin/limits"
	pageAlerts      = "/admin/alerts"
	pageHarvest     = "/settings/harvest"
)

// Causes are all that is wrong. In an outage of Harvest nothing is but that.
func Causes(f Facts) []Cause {
	var causes []Cause
	for _, rule := range []func(Facts) []Cause{unsent, outage, revoked, queue, foreign, disks} {
		causes = append(causes, rule(f)...)
	}
	return causes
}

func unsent(f Facts) []Cause {
	if f.Stuck.Count == 0 || f.Outage || f.Queue.PushPaused {
		return nil
	}
	return []Cause{{
		Key: "unsent", Severity: Alarm, Grace: unsentGrace, Path: pageWrites,
		Sentence: fmt.Sprintf("Not sent since %s, though Harvest answers: %s of %s.",
			clock(f.Stuck.Oldest), count(f.Stuck.Count, "change", "changes"), count(f.Stuck.Connections, "connection", "connections")),
		Advice: "Look at the reason of the oldest one. If nothing is tried at all, see whether the worker processes run and the queue push moves.",
	}}
}

func outage(f Facts) []Cause {
	cause := Cause{
		Key: "outage", Severity: Information, Grace: outageGrace, Path: pageLimits,
		Advice: "There is nothing to do. What is to be sent is kept, and goes out by itself once Harvest answers again.",
	}
	switch {
	case f.Outage:
		cause.Sentence = "Harvest does not answer, or answers with errors. Calls wait for it."
	case f.Failing.Count > 0:
		cause.Sentence = fmt.Sprintf("Harvest fails to take %s of %s. The oldest is of %s.",
			count(f.Failing.Count, "change", "changes"), count(f.Failing.Connections, "connection", "connections"), clock(f.Failing.Oldest))
	default:
		return nil
	}
	return []Cause{cause}
}

// revoked tells the user at once, and the operators when that has not helped.
func revoked(f Facts) []Cause {
	var causes []Cause
	for _, r := range f.Revoked {
		id := strconv.FormatInt(r.ConnectionID, 10)
		if f.MailsUsers {
			causes = append(causes, Cause{
				Key: "revoked:" + id + ":user", Severity: Alarm, UserID: r.UserID, Path: pageHarvest,
				Sentence: "Harvest no longer accepts the access that Furrow has to your account.",
				Advice:   "Connect again. Nothing is lost: what you confirmed is kept and sent after that.",
			})
		}
		causes = append(causes, Cause{
			Key: "revoked:" + id, Severity: Alarm, Grace: revokedGrace, Path: pageConnections,
			Sentence: "Harvest no longer accepts the access of connection " + id + ", and its user has not connected again.",
			Advice:   "Ask them to connect again in their settings. What they confirmed is kept and sent after that.",
		})
	}
	return causes
}

// queue tells one thing: without workers, jobs wait as well.
func queue(f Facts) []Cause {
	var worker, started time.Time
	for _, p := range f.Processes {
		if p.Works && p.SeenAt.After(worker) {
			worker = p.SeenAt
		}
		if started.IsZero() || p.StartedAt.Before(started) {
			started = p.StartedAt
		}
	}
	// Processes that have just begun may be ahead of their workers.
	if len(f.Processes) > 0 && f.Now.Sub(worker) > silentAge && f.Now.Sub(started) > silentAge {
		return []Cause{{
			Key: NoWorkers, Severity: Alarm, Path: pageJobs,
			Sentence: "No process that works jobs has given a sign of life for five minutes. Nothing is sent to Harvest or read from it.",
			Advice:   "Start a process with --role worker or all, and look at the log of the one that ended.",
		}}
	}
	var causes []Cause
	if !f.Queue.DueAt.IsZero() && f.Now.Sub(f.Queue.DueAt) > dueAge {
		causes = append(causes, Cause{
			Key: "queue", Severity: Alarm, Grace: queueGrace, Path: pageJobs,
			Sentence: fmt.Sprintf("Due since %s, and taken by nobody: %s of the kind %s.",
				clock(f.Queue.DueAt), count(f.Queue.Due, "job", "jobs"), strings.Join(f.Queue.Kinds, ", ")),
			Advice: "See in the log of the worker processes whether they are busy with something else. Mails and webhooks need a worker process that was given --smtp-url or --alert-webhook.",
		})
	}
	if !f.Queue.Running.IsZero() && f.Now.Sub(f.Queue.Running) > runningAge {
		causes = append(causes, Cause{
			Key: "running", Severity: Alarm, Grace: queueGrace, Path: pageJobs,
			Sentence: "A job has been running since " + clock(f.Queue.Running) + ", and nobody has taken it over.",
			Advice:   "Its process hangs, or died while no other could take it over. Restart the worker processes: jobs may be run again at any time.",
		})
	}
	return causes
}

func foreign(f Facts) []Cause {
	var ids []int64
	for _, p := range f.fresh() {
		ids = append(ids, p.Finding.Foreign...)
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = strconv.FormatInt(id, 10)
	}
	return []Cause{{
		Key: "key", Severity: Alarm, Path: pageConnections,
		Sentence: "The secret key does not open what is stored for connection " + strings.Join(names, ", ") + ".",
		Advice:   "Put the secret key back that they were sealed with, or have their users connect again. See that all processes use the same secret key file.",
	}}
}

// disks tells of a directory once, however many processes keep something there.
func disks(f Facts) []Cause {
	low := map[string]Cause{}
	for _, p := range f.fresh() {
		for _, d := range p.Finding.Disks {
			if !d.Low {
				continue
			}
			key := "disk:" + p.Host + ":" + d.Path
			low[key] = Cause{
				Key: key, Severity: Alarm, Path: pageAlerts,
				Sentence: fmt.Sprintf("The disk of %s on %s is nearly full: %s of %s are free.", d.Path, p.Host, size(d.Free), size(d.Total)),
				Advice:   "Make room, or make it larger, before the database stops for want of it.",
			}
		}
	}
	causes := make([]Cause, 0, len(low))
	for _, cause := range low {
		causes = append(causes, cause)
	}
	slices.SortFunc(causes, func(a, b Cause) int { return strings.Compare(a.Key, b.Key) })
	return causes
}

// fresh are the processes that run.
func (f Facts) fresh() []Process {
	return slices.DeleteFunc(slices.Clone(f.Processes), func(p Process) bool { return f.Now.Sub(p.SeenAt) > freshAge })
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// clock is an instant for people who may be anywhere.
func clock(t time.Time) string { return t.UTC().Format("2 January 15:04") + " UTC" }

func size(bytes uint64) string {
	const mebi = 1 << 20
	if bytes < 10<<30 {
		return strconv.FormatUint(bytes/mebi, 10) + " MiB"
	}
	return strconv.FormatUint(bytes>>30, 10) + " GiB"
}

// DiskLimit is how little may be free on a disk; zero fields do not limit.
type DiskLimit struct {
	Percent int // of the disk
	Bytes   uint64
}

// Low reports whether less than the limit is free.
func (l DiskLimit) Low(free, total uint64) bool {
	return free < l.Bytes || float64(free) < float64(total)*float64(l.Percent)/100
}
