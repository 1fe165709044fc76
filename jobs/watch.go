package jobs

import (
	"context"
	crand "crypto/rand"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"furrow/ledger/notice"
)

// WatchStore is what a watch needs of the store.
type WatchStore interface {
	Outbound
	Announce(ctx context.Context, process, host, role string) error
	Report(ctx context.Context, process, host, role string, found notice.Finding) error
	Foreign(ctx context.Context, most int) ([]int64, error)
	KeepAlerts(ctx context.Context, ch notice.Channels, away time.Duration, ring func(ctx context.Context, tx pgx.Tx, mails, webhooks []int64) error) ([]notice.Alert, error)
	Alerts(ctx context.Context, most int) (open, over []notice.Alert, err error)
	RanSchedule(ctx context.Context, name string, every time.Duration, started time.Time, outcome error) error
}

// Watch looks again and again for what is wrong, and tells people. Every process
// has one: what one of them finds is one alert for all, and a web process is left
// to tell that there is no worker any more.
type Watch struct {
	Store    WatchStore
	Queue    *Queue
	Channels notice.Channels
	Mailer   Mailer // nil: Channels.Mail is false
	Poster   Poster // nil: Channels.Webhook is false
	Host     string // name of this machine
	Role     string // all, web or worker
	// Disks are the directories that this process stores in.
	Disks func() ([]notice.Disk, error)
	Log   *slog.Logger
	// Every is how often it looks; a minute if zero.
	Every time.Duration

	process  string // a name for this start
	foreign  []int64
	keyTried time.Time
}

const (
	watchEvery  = time.Minute
	foreignMost = 10
	// keyEvery is how often all credentials are tried, in looks.
	keyEvery = 10
)

// Announce makes this process known to the others, under a name for this start of it.
// It returns what the store does if it must not run beside them.
func (w *Watch) Announce(ctx context.Context) error {
	w.process = crand.Text()
	return w.Store.Announce(ctx, w.process, w.Host, w.Role)
}

// Run looks until ctx is over. Announce comes before it.
func (w *Watch) Run(ctx context.Context) error {
	if w.Every == 0 {
		w.Every = watchEvery
	}
	for {
		started := time.Now()
		if err := w.ran(ctx, started, w.look(ctx)); err != nil && ctx.Err() == nil {
			w.Log.Warn("look for what is wrong", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.Every - rand.N(w.Every/10)): // processes that started together need not look together
		}
	}
}

// ran records a look, unless that was broken off with the process.
func (w *Watch) ran(ctx context.Context, started time.Time, outcome error) error {
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(outcome, w.Store.RanSchedule(ctx, ScheduleWatch, w.Every, started, outcome))
}

func (w *Watch) look(ctx context.Context) error {
	if err := w.report(ctx); err != nil {
		return err
	}
	// Away for one and a half times the wait: two looks have not found it.
	changed, err := w.Store.KeepAlerts(ctx, w.Channels, w.Every+w.Every/2, w.Queue.Notices)
	if err != nil {
		return err
	}
	for _, a := range changed {
		w.log(ctx, a)
	}
	return w.standIn(ctx)
}

func (w *Watch) log(ctx context.Context, a notice.Alert) {
	level, message := slog.LevelWarn, "alert"
	switch {
	case a.Resolved():
		level, message = slog.LevelInfo, "alert is over"
	case a.Severity == notice.Information:
		level = slog.LevelInfo
	}
	w.Log.Log(ctx, level, message, "key", a.Key, "what", a.Sentence)
}

// report tells the others what only this process can see.
func (w *Watch) report(ctx context.Context) error {
	disks, diskErr := w.Disks()
	if time.Since(w.keyTried) >= keyEvery*w.Every {
		foreign, err := w.Store.Foreign(ctx, foreignMost)
		if err != nil {
			return err
		}
		w.foreign, w.keyTried = foreign, time.Now()
	}
	return errors.Join(diskErr, w.Store.Report(ctx, w.process, w.Host, w.Role, notice.Finding{Disks: disks, Foreign: w.foreign}))
}

// standIn delivers what is not delivered while there is no worker to do so; one
// that is there works all of it.
func (w *Watch) standIn(ctx context.Context) error {
	if w.Queue.work != nil || !w.Channels.Operators() {
		return nil
	}
	open, _, err := w.Store.Alerts(ctx, 0)
	if err != nil {
		return err
	}
	for _, a := range open {
		if a.Key == notice.NoWorkers {
			return w.deliver(ctx)
		}
	}
	return nil
}

func (w *Watch) deliver(ctx context.Context) error {
	c := &courier{store: w.Store, mailer: w.Mailer, poster: w.Poster, first: defaultRetry, now: time.Now, log: w.Log}
	mails, webhooks, err := c.lost(ctx)
	errs := []error{err}
	for _, id := range mails {
		_, err := c.mail(ctx, id)
		errs = append(errs, err)
	}
	for _, id := range webhooks {
		_, err := c.webhook(ctx, id)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
