package harvest

import (
	"context"
	"encoding/json"
	"net/http"

	"furrow/ledger"
)

// StartTimer makes a time entry whose clock runs from now, and stops whatever
// else runs for the user: Harvest knows one timer per person. It sends neither
// hours nor times, so it is the same for accounts of both modes (harvest-api.md,
// section 7.1). reference may be empty; without one a lost answer cannot be
// found again. Errors and the meaning of the answer are as for
// [Client.CreateEntry]; look at IsRunning.
func (c *Client) StartTimer(ctx context.Context, start ledger.TimerStart, reference, permalink string) (ledger.RemoteEntry, error) {
	what := call{method: http.MethodPost, path: entriesPath, name: entriesPath}
	body := wireChange{ProjectID: start.ProjectID, TaskID: start.TaskID, SpentDate: start.SpentDate.String(), Notes: &start.Notes}
	if reference != "" {
		body.Reference = &wireReference{ID: reference, Group: ledger.ReferenceGroup, Permalink: permalink}
	}
	var err error
	if what.body, err = json.Marshal(body); err != nil {
		return ledger.RemoteEntry{}, c.failed(what, ledger.Refused, ledger.ReasonInvalid)
	}
	return c.oneEntry(ctx, what, func(e ledger.RemoteEntry) error {
		bare := e.ReferenceID == "" && e.ProjectID == start.ProjectID && e.TaskID == start.TaskID && e.SpentDate == start.SpentDate
		if (reference == "" || !e.Is(reference)) && !bare {
			return errOtherEntry
		}
		return nil
	})
}

// StopTimer stops the clock of an entry. Harvest refuses that with
// ReasonInvalid if it does not run (harvest-api.md, section 7.2).
func (c *Client) StopTimer(ctx context.Context, id int64) (ledger.RemoteEntry, error) {
	what := call{method: http.MethodPatch, path: entryPath(id) + "/stop", name: entryName + "/stop"}
	return c.oneEntry(ctx, what, func(e ledger.RemoteEntry) error { return sameID(e, id) })
}

// RestartTimer lets the clock of an entry run on, on the entry's own date. In
// accounts with start and end times Harvest may make another entry for that,
// so the returned one is the one that runs (harvest-api.md, section 7.2). A
// locked entry may come back as it was. Running already is ReasonInvalid.
func (c *Client) RestartTimer(ctx context.Context, id int64) (ledger.RemoteEntry, error) {
	what := call{method: http.MethodPatch, path: entryPath(id) + "/restart", name: entryName + "/restart"}
	return c.oneEntry(ctx, what, func(e ledger.RemoteEntry) error {
		if e.ID != id && !e.IsRunning {
			return errOtherEntry
		}
		return nil
	})
}

// SetReference makes an entry one of ours, whoever made it, and changes
// nothing else. Harvest may drop what it is sent: see whether the answer
// carries the reference.
func (c *Client) SetReference(ctx context.Context, id int64, reference, permalink string) (ledger.RemoteEntry, error) {
	what := call{method: http.MethodPatch, path: entryPath(id), name: entryName}
	var err error
	what.body, err = json.Marshal(wireChange{Reference: &wireReference{ID: reference, Group: ledger.ReferenceGroup, Permalink: permalink}})
	if err != nil || reference == "" {
		return ledger.RemoteEntry{}, c.failed(what, ledger.Refused, ledger.ReasonInvalid)
	}
	return c.oneEntry(ctx, what, func(e ledger.RemoteEntry) error { return sameID(e, id) })
}

// DeleteReference takes an entry's external reference away and leaves the
// entry. What Harvest answers with is not documented (harvest-api.md, section
// 9); any success is one.
func (c *Client) DeleteReference(ctx context.Context, id int64) error {
	return c.do(ctx, call{
		method: http.MethodDelete, path: entryPath(id) + "/external_reference", name: entryName + "/external_reference", class: ledger.GateGeneral, emptyOK: true,
		decode: func(body []byte) error {
			var answered any
			if err := json.Unmarshal(body, &answered); err != nil {
				return describe(err)
			}
			return nil
		},
	})
}
