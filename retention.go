package main

import (
	"errors"
	"time"

	"furrow/jobs"
)

// keepConfig is how many days what is over is kept; 0: for ever.
type keepConfig struct {
	KeepJobs     int `name:"keep-jobs" default:"7" env:"FURROW_KEEP_JOBS" placeholder:"DAYS" help:"How many days jobs are kept after they ended (${default}); 0: for ever."`
	KeepWrites   int `name:"keep-writes" default:"0" env:"FURROW_KEEP_WRITES" placeholder:"DAYS" help:"How many days writes of the ledger are kept after they ended, once a later one of the same entry is done; at least 30. It is the users' record, so the default is 0: for ever."`
	KeepAttempts int `name:"keep-attempts" default:"365" env:"FURROW_KEEP_ATTEMPTS" placeholder:"DAYS" help:"How many days the attempts of writes that are over are kept (${default}); 0: for ever."`
	KeepAudit    int `name:"keep-audit" default:"0" env:"FURROW_KEEP_AUDIT" placeholder:"DAYS" help:"How many days the audit is kept, and orders of operators over many writes; these at least 30. Default 0: for ever."`
	KeepSyncs    int `name:"keep-syncs" default:"90" env:"FURROW_KEEP_SYNCS" placeholder:"DAYS" help:"How many days syncs are kept after they ended, but for each user's latest (${default}); 0: for ever."`
	KeepNotices  int `name:"keep-notices" default:"90" env:"FURROW_KEEP_NOTICES" placeholder:"DAYS" help:"How many days alerts, mails and webhooks are kept after they were over (${default}); 0: for ever."`
}

// fewestWriteDays is how long a write, or an order over many, is kept in any case:
// so late nobody sends the form again that made it.
const fewestWriteDays = 30

func (c *keepConfig) retention() (jobs.Retention, error) {
	for _, days := range []int{c.KeepJobs, c.KeepWrites, c.KeepAttempts, c.KeepAudit, c.KeepSyncs, c.KeepNotices} {
		if days < 0 || days > 36500 {
			return jobs.Retention{}, errors.New("the --keep flags are numbers of days, 0 to 36500")
		}
	}
	if c.KeepWrites != 0 && c.KeepWrites < fewestWriteDays {
		return jobs.Retention{}, errors.New("--keep-writes is less than 30 days")
	}
	const day = 24 * time.Hour
	keep := jobs.Retention{
		Jobs: time.Duration(c.KeepJobs) * day, Writes: time.Duration(c.KeepWrites) * day, Attempts: time.Duration(c.KeepAttempts) * day,
		Audit: time.Duration(c.KeepAudit) * day, SyncRuns: time.Duration(c.KeepSyncs) * day, Notices: time.Duration(c.KeepNotices) * day,
	}
	if keep.Audit != 0 {
		keep.Orders = max(keep.Audit, fewestWriteDays*day)
	}
	return keep, nil
}
