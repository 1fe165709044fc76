package ledger

import (
	"context"
	"iter"
	"time"

	"furrow/planner"
)

// Remote is Harvest for one connection, as the adapter tells it. Its methods
// return [ErrAccessRevoked] (wrapped) if the credentials are no longer good,
// [*WaitError] if nothing was tried because calls are held back or Harvest
// asked to wait, and otherwise [*CallError]. All of them honour ctx and a
// deadline of their own; none repeats a write by itself, but for one that was
// refused for its access token and so not carried out.
type Remote interface {
	// Account returns who the credentials belong to and the settings we take over.
	Account(ctx context.Context) (Account, error)

	// Assignments returns what the user may log time on: active project
	// assignments with their active tasks.
	Assignments(ctx context.Context) ([]Assignment, error)

	// ProjectBudgets reports the active projects with a budget that the user may
	// see; a CallError with ReasonForbidden if that is none of their business. It
	// counts against the limit of reports, which is apart from that of all else.
	ProjectBudgets(ctx context.Context) ([]ProjectBudget, error)

	// EntryPages lists the user's time entries page by page. The sequence ends
	// after its first error.
	EntryPages(ctx context.Context, filter EntryFilter) iter.Seq2[EntryPage, error]

	// EntriesByReference returns the user's entries whose external reference is
	// ours and has the given id, lowest entry id first.
	EntriesByReference(ctx context.Context, reference string) ([]RemoteEntry, error)

	// Entry returns one time entry; a CallError with ReasonNotFound if Harvest
	// has none of that id that the user can see.
	Entry(ctx context.Context, id int64) (RemoteEntry, error)

	// CreateEntry makes a time entry that carries our reference. The caller
	// must have looked for the reference before, and must look again if the
	// error is of class Unknown.
	CreateEntry(ctx context.Context, entry Entry, reference, permalink string) (RemoteEntry, error)

	// UpdateEntry changes only the given fields of an entry of ours.
	UpdateEntry(ctx context.Context, id int64, changes Changes) (RemoteEntry, error)

	// DeleteEntry removes an entry of ours.
	DeleteEntry(ctx context.Context, id int64) error

	// StartTimer makes a time entry of ours whose clock runs, and stops whatever
	// else runs for the user. What is said of CreateEntry holds for it too.
	StartTimer(ctx context.Context, start TimerStart, reference, permalink string) (RemoteEntry, error)

	// RestartTimer lets the clock of an entry of ours run on. The returned entry
	// is the one that runs, which may be another one.
	RestartTimer(ctx context.Context, id int64) (RemoteEntry, error)

	// StopTimer stops the clock of an entry of ours.
	StopTimer(ctx context.Context, id int64) (RemoteEntry, error)

	// SetReference makes an entry one of ours and changes nothing else.
	SetReference(ctx context.Context, id int64, reference, permalink string) (RemoteEntry, error)
}

// EntryFilter chooses which time entries are listed. Zero fields do not filter.
type EntryFilter struct {
	From, To     *planner.Date // spent date, both inclusive
	UpdatedSince time.Time     // strictly later than this, whole seconds
	// Resume continues a listing at an EntryPage.Next of an earlier, interrupted
	// one; the other fields must be the same as then.
	Resume string
}

// EntryPage is one page of a listing.
type EntryPage struct {
	Entries []RemoteEntry
	Pages   int    // total number of pages as Harvest tells it; 0 if it does not
	Total   int    // total number of entries as Harvest tells it; 0 if it does not
	Next    string // where to resume after this page; empty on the last one
	Shifted bool   // set by [Pull]: Total changed since the first page of the listing
}

// Secret is a text that must not be seen: a token. It prints as "[redacted]"
// however it is formatted; Reveal gives the text.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String redacts.
func (Secret) String() string { return "[redacted]" }

// GoString redacts.
func (Secret) GoString() string { return "[redacted]" }

// MarshalText redacts, for JSON and log handlers alike.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
