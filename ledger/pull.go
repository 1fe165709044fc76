package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"furrow/planner"
)

// Phase is what a sync run is at.
type Phase string

// The phases, in order.
const (
	PhaseQueued      Phase = "queued"
	PhaseAssignments Phase = "assignments"
	PhaseEntries     Phase = "entries" // by change, or the whole year on a first run
	PhaseWindow      Phase = "window"  // the weeks in view, listed anew to see deletions
	PhaseDone        Phase = "done"
)

// Run is a sync run as the pull finds it; a run that was interrupted goes on
// where it stopped.
type Run struct {
	ID           int64
	UserID       int64
	ConnectionID int64
	State        RunState
	Phase        Phase
	Resume       string       // where the listing of the phase goes on
	Total        int          // entries in the listing, as its last page told it; 0: unknown
	Shifted      bool         // Total changed from one page to another
	Relisted     int          // how often the listing began anew for that
	UpdatedSince time.Time    // zero: list by spent date from YearFrom on
	YearFrom     planner.Date // of a first run
	Window       Window
	// Held: nothing is sent for the connection until this run has ended well. The
	// window reaches over the dates of all that waits.
	Held bool
	// Paused is for how long nothing is exchanged for the connection, by the word of
	// an operator.
	Paused time.Duration
}

// Window is a range of spent dates, both inclusive.
type Window struct{ From, To planner.Date }

// First reports whether the run lists everything rather than what changed.
func (r Run) First() bool { return r.UpdatedSince.IsZero() }

// Overlap is how far before the newest change seen the next listing by change
// begins. Harvest's timestamps have whole seconds and its comparison is strict
// (harvest-api.md, section 6), so a change could otherwise be missed for ever.
const Overlap = 5 * time.Minute

// ErrRunOver: the run was ended by somebody else; there is nothing left to do.
var ErrRunOver = errors.New("the sync run is over")

// Mirror is the store of a pull. It returns [ErrRunOver] if the run is not
// live any more. Each method commits what it is given together
// with the progress of the run.
type Mirror interface {
	// Enter commits that the run has reached a phase.
	Enter(ctx context.Context, phase Phase) error

	// AccountDue reports whether the account's settings are older than age, and
	// were not asked for within again. If so it notes that they are asked for now.
	AccountDue(ctx context.Context, age, again time.Duration) (bool, error)

	// SaveAccount stores the account's settings. [planner.ErrConflict]: they are
	// of another account or user than the connection's, and nothing was stored.
	SaveAccount(ctx context.Context, account Account) error

	// BudgetsDue reports whether the budgets were not asked for within age. If so
	// it notes that they are asked for now.
	BudgetsDue(ctx context.Context, age time.Duration) (bool, error)

	// SaveBudgets stores the budgets in place of those that were there. Those of
	// projects that the mirror does not know are left out.
	SaveBudgets(ctx context.Context, budgets []ProjectBudget) error

	// HideBudgets notes that Harvest does not show budgets to this user. Those
	// there are stay.
	HideBudgets(ctx context.Context) error

	// SaveAssignments makes the given assignments the active ones.
	SaveAssignments(ctx context.Context, assignments []Assignment) error

	// SavePage stores entries by Harvest's id, so that storing a page again
	// changes nothing, and where the listing goes on.
	SavePage(ctx context.Context, page EntryPage) error

	// Known returns the ids of the stored entries in the window that are not
	// marked as deleted.
	Known(ctx context.Context, window Window) ([]int64, error)

	// MarkGone marks entries as deleted in Harvest.
	MarkGone(ctx context.Context, ids []int64) error

	// SaveEntry stores one entry that was read by itself.
	SaveEntry(ctx context.Context, entry RemoteEntry) error

	// Finish commits the end of the run, and from where the next one lists
	// changes: never our clock, but the newest change seen in Harvest. If the
	// connection was held, entries of ours that were found in Harvest are made
	// known again, and the hold ends.
	// Entries that carry the same reference of ours, so that one was booked
	// twice, get writes that remove all but one of them.
	Finish(ctx context.Context) error
}

// ErrSliceOver: the pull has had its turn; what it stored is kept, and the run
// goes on from there.
var ErrSliceOver = errors.New("pull: slice over")

// Pull copies what Harvest knows into the mirror: the account's settings if they
// have grown old, assignments, time entries page by page, the weeks in view once
// more to see what was deleted, and at last the budgets if they have grown old.
// No transaction is open while Harvest is asked. Running it twice changes
// nothing.
//
// Whoever wants to see any of it is shown the mirror, with its age, and never
// waits for Harvest; what was read last is shown while Harvest is down too. A
// connection has one live run at most, which all who ask meanwhile join, so that
// one reading serves them all.
//
// Errors of remote and mirror are returned wrapped; what was
// stored until then stays, and the run goes on from there. A pull that lists
// for longer than slice stops between two pages with [ErrSliceOver].
func Pull(ctx context.Context, remote Remote, mirror Mirror, run Run, slice time.Duration) error {
	end := time.Now().Add(slice)
	if run.Phase == PhaseQueued {
		if err := refreshAccount(ctx, remote, mirror); err != nil {
			return fmt.Errorf("take over the account's settings: %w", err)
		}
	}
	if run.Phase == PhaseQueued || run.Phase == PhaseAssignments {
		if err := pullAssignments(ctx, remote, mirror); err != nil {
			return fmt.Errorf("pull assignments: %w", err)
		}
		run.Phase, run.Resume = PhaseEntries, ""
	}
	if run.Phase == PhaseEntries {
		if err := pullEntries(ctx, remote, mirror, run, end); err != nil {
			return fmt.Errorf("pull time entries: %w", err)
		}
		run.Phase = PhaseWindow
	}
	// A run that listed every date has nothing left to find: what it did not
	// see was not stored before, or is outside of what it looks at.
	if run.Phase == PhaseWindow && !run.First() {
		if err := pullWindow(ctx, remote, mirror, run.Window); err != nil {
			return fmt.Errorf("pull the weeks in view: %w", err)
		}
	}
	if err := refreshBudgets(ctx, remote, mirror); err != nil {
		return fmt.Errorf("pull budgets: %w", err)
	}
	return mirror.Finish(ctx)
}

func pullAssignments(ctx context.Context, remote Remote, mirror Mirror) error {
	if err := mirror.Enter(ctx, PhaseAssignments); err != nil {
		return err
	}
	assignments, err := remote.Assignments(ctx)
	if err != nil {
		return err
	}
	return mirror.SaveAssignments(ctx, assignments)
}

// mostListings is how often entries are listed in one run if they come and go
// meanwhile. What is missed at last, the weeks in view apart, is found when it
// changes.
const mostListings = 3

func pullEntries(ctx context.Context, remote Remote, mirror Mirror, run Run, end time.Time) error {
	for {
		shifted, err := listEntries(ctx, remote, mirror, run, end)
		if err != nil || !shifted || run.Relisted+1 >= mostListings {
			return err
		}
		run.Resume = ""
		run.Relisted++
	}
}

// listEntries stores all pages of a listing, or what is left of it. It reports
// whether their number of entries changed meanwhile: Harvest may number the
// pages (harvest-api.md, section 5), and an entry that is deleted from one moves
// the first of the next one onto it, where nobody sees it any more.
func listEntries(ctx context.Context, remote Remote, mirror Mirror, run Run, end time.Time) (shifted bool, err error) {
	if run.Resume == "" {
		if err := mirror.Enter(ctx, PhaseEntries); err != nil {
			return false, err
		}
		run.Total, run.Shifted = 0, false
	}
	filter := EntryFilter{Resume: run.Resume}
	if run.First() {
		filter.From = &run.YearFrom
	} else {
		filter.UpdatedSince = run.UpdatedSince
	}
	total, shifted := run.Total, run.Shifted
	for page, err := range remote.EntryPages(ctx, filter) {
		if err != nil {
			return false, err
		}
		shifted = shifted || total > 0 && page.Total != total
		total, page.Shifted = page.Total, shifted
		if err := mirror.SavePage(ctx, page); err != nil {
			return false, err
		}
		if page.Next != "" && time.Now().After(end) {
			return false, ErrSliceOver
		}
	}
	return shifted, nil
}

// pullWindow begins anew when interrupted: it is short, and only a whole
// listing shows what is missing from it.
func pullWindow(ctx context.Context, remote Remote, mirror Mirror, window Window) error {
	if err := mirror.Enter(ctx, PhaseWindow); err != nil {
		return err
	}
	known, err := mirror.Known(ctx, window)
	if err != nil {
		return err
	}
	listed := map[int64]bool{}
	for page, err := range remote.EntryPages(ctx, EntryFilter{From: &window.From, To: &window.To}) {
		if err != nil {
			return err
		}
		for _, entry := range page.Entries {
			listed[entry.ID] = true
		}
		if err := mirror.SavePage(ctx, page); err != nil {
			return err
		}
	}
	missing := slices.DeleteFunc(known, func(id int64) bool { return listed[id] })
	if len(missing) == 0 {
		return nil
	}
	// A wrong account, or access that was lost, shows as absence too. So before
	// any of them is believed to be deleted, the account must be the right one.
	account, err := remote.Account(ctx)
	if err != nil {
		return err
	}
	if err := saveAccount(ctx, mirror, account); err != nil {
		return err
	}
	var gone []int64
	for _, id := range missing {
		// Only a "not found" for the very entry is a deletion: it may have moved
		// to another date while we listed.
		entry, err := remote.Entry(ctx, id)
		switch {
		case isNotFound(err):
			gone = append(gone, id)
		case err != nil:
			return err
		default:
			if err := mirror.SaveEntry(ctx, entry); err != nil {
				return err
			}
		}
	}
	return mirror.MarkGone(ctx, gone)
}
