package harvest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"furrow/harvest"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

func TestMain(m *testing.M) {
	// These tests wait for Harvest more than they work. The command line comes later and wins.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// testBundle is a client of Ida's at a sandbox of its own.
type testBundle struct {
	*sandboxtest.Sandbox
	client *harvest.Client
	log    *logBuffer
}

// logBuffer is a log that tests can read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func ida() harvest.Credentials {
	return harvest.Credentials{Tokens: ledger.StaticToken(sandboxtest.Token), AccountID: sandboxtest.AccountID, UserID: sandboxtest.UserID, ConnectionID: 1}
}

// setup starts a sandbox with a seed; change, if not nil, changes the
// configuration and the credentials before the client is made.
func setup(t *testing.T, seed string, change func(*harvest.Config, *harvest.Credentials)) *testBundle {
	t.Helper()
	b := &testBundle{Sandbox: sandboxtest.Start(t, seed), log: &logBuffer{}}
	cfg := harvest.Config{
		BaseURL: b.URL, IDURL: b.URL, Version: "1.2", Contact: "ida@example.com",
		Log: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	credentials := ida()
	if change != nil {
		change(&cfg, &credentials)
	}
	h, err := harvest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	b.client = h.Client(credentials, harvest.Interactive)
	return b
}

// freshEntry is an entry of today that Harvest will take.
func (b *testBundle) freshEntry(t *testing.T) ledger.Entry {
	t.Helper()
	assignments, err := b.client.Assignments(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := assignments[0]
	return ledger.Entry{ProjectID: a.ProjectID, TaskID: a.TaskID, SpentDate: planner.DateOf(b.Now(t)), Hours: 175, Notes: "Grid & <type>, ½ done 🌾"}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		address string
		ok      bool
	}{
		{"", true},
		{"https://api.harvestapp.com", true},
		{"https://api.harvestapp.com/", true},
		{"https://api.harvestapp.com/v2", true},
		{"http://127.0.0.1:8080", true},
		{"http://localhost:8080/api/v2/", true},
		{"http://[::1]:8080", true},
		{"http://api.harvestapp.com", false},
		{"http://127.0.0.1.example.com", false},
		{"http://192.168.1.10", false},
		{"ftp://api.harvestapp.com", false},
		{"https://user:secret@api.harvestapp.com", false},
		{"https://api.harvestapp.com/other", false},
		{"https://api.harvestapp.com?token=secret", false},
		{"api.harvestapp.com", false},
		{"https://", false},
		{"https://:443", false},
		{"https://api.harvestapp.com\x00secret", false},
	} {
		for _, cfg := range []harvest.Config{{BaseURL: tt.address}, {IDURL: tt.address}} {
			_, err := harvest.New(cfg)
			if (err == nil) != tt.ok {
				t.Errorf("%q: %v, want ok %v", tt.address, err, tt.ok)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: the error repeats it: %v", tt.address, err)
			}
		}
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()

	t.Run("Administrator", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		got, err := b.client.Account(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := ledger.Account{
			AccountID: sandboxtest.AccountID, CompanyName: "Ida Berg Studio", BaseURI: "https://idaberg.harvestapp.com",
			UserID: sandboxtest.UserID, UserName: "Ida Berg", Email: "ida@example.com", TimeZone: "Europe/Copenhagen", WeekStart: time.Monday,
			Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 2250, CompanyVisible: true,
		}
		if got != want {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
		for _, r := range b.Requests(t) {
			if r.UserAgent != "Furrow/1.2 (ida@example.com)" {
				t.Errorf("User-Agent %q", r.UserAgent)
			}
		}
	})

	t.Run("OtherConventions", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, func(_ *harvest.Config, c *harvest.Credentials) {
			*c = harvest.Credentials{Tokens: ledger.StaticToken(sandboxtest.OtherToken), AccountID: sandboxtest.OtherAccountID}
		})
		got, err := b.client.Account(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Clock != "12h" || got.DurationFormat != planner.Decimal || got.WeekStart != time.Sunday || !got.TimestampTimers || got.TimeZone != "America/New_York" {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("MemberWithoutCompany", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, func(_ *harvest.Config, c *harvest.Credentials) {
			c.Tokens = ledger.StaticToken(sandboxtest.MemberToken)
		})
		got, err := b.client.Account(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := ledger.Account{
			AccountID: sandboxtest.AccountID, UserID: sandboxtest.MemberUserID, UserName: "Jonas Lind", Email: "jonas@example.com",
			TimeZone: "Europe/Copenhagen", WeekStart: time.Monday, Clock: "24h", DurationFormat: planner.HoursMinutes, WeeklyCapacity: 2250,
		}
		if got != want {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	})

	t.Run("WrongToken", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedEmpty, func(_ *harvest.Config, c *harvest.Credentials) { c.Tokens = ledger.StaticToken("9.pt.wrong") })
		_, err := b.client.Account(t.Context())
		checkCall(t, err, ledger.Refused, ledger.ReasonAuth, http.StatusUnauthorized)
		if !errors.Is(err, ledger.ErrAccessRevoked) {
			t.Errorf("error %v, want ErrAccessRevoked", err)
		}
	})

	t.Run("TokenThatNoHeaderCanHold", func(t *testing.T) {
		t.Parallel()
		for _, token := range []ledger.Secret{"", "a b", "a\nb", "tökén"} {
			b := setup(t, sandbox.SeedEmpty, func(_ *harvest.Config, c *harvest.Credentials) { c.Tokens = ledger.StaticToken(token) })
			sent := b.count(t, sandboxtest.Match{})
			_, err := b.client.Account(t.Context())
			if n := sent(); !errors.Is(err, ledger.ErrAccessRevoked) || n != 0 {
				t.Errorf("error %v after %d requests", err, n)
			}
		}
	})

	t.Run("WrongAccount", func(t *testing.T) {
		t.Parallel()
		for answer, reason := range map[string]ledger.Reason{"401": ledger.ReasonAuth, "403": ledger.ReasonForbidden, "404": ledger.ReasonNotFound} {
			b := setup(t, sandbox.SeedEmpty, func(_ *harvest.Config, c *harvest.Credentials) { c.AccountID = sandboxtest.OtherAccountID })
			b.Switch(t, map[string]any{"foreign_account": answer})
			_, err := b.client.Account(t.Context())
			var call *ledger.CallError
			if !errors.As(err, &call) || call.Reason != reason || call.Class != ledger.Refused {
				t.Errorf("answer %s: %v, want reason %s", answer, err, reason)
			}
		}
	})

	t.Run("Unreachable", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedEmpty, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.BaseURL = "http://127.0.0.1:1" })
		start := time.Now()
		_, err := b.client.Account(t.Context())
		checkCall(t, err, ledger.NotSent, ledger.ReasonUnreachable, 0)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})

	t.Run("Silent", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedEmpty, nil)
		b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultDelay, DelayMS: 60_000})
		start := time.Now()
		_, err := b.client.Account(t.Context())
		checkCall(t, err, ledger.Unknown, ledger.ReasonTimeout, 0)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})

	t.Run("Unroutable", func(t *testing.T) {
		t.Parallel()
		// A name that leads into the private network is not called, whatever listens there.
		b := setup(t, sandbox.SeedEmpty, func(cfg *harvest.Config, _ *harvest.Credentials) {
			cfg.BaseURL = "https://169.254.169.254"
		})
		start := time.Now()
		_, err := b.client.Account(t.Context())
		checkCall(t, err, ledger.NotSent, ledger.ReasonUnreachable, 0)
		if took := time.Since(start); took > 2500*time.Millisecond || !strings.Contains(b.log.String(), "address not allowed") {
			t.Errorf("took %v; log:\n%s", took, b.log)
		}
	})
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	for _, paging := range []string{"page", "cursor", "mixed"} {
		t.Run(paging, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 3 })
			b.Switch(t, map[string]any{"paging": map[string]string{"*": paging}})
			got, err := b.client.Assignments(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			account := b.State(t).Account(sandboxtest.AccountID)
			want := map[string]bool{}
			projects := map[int64]sandboxtest.Project{}
			for _, p := range account.Projects {
				projects[p.ID] = p
			}
			for _, ta := range account.TaskAssignments {
				if p := projects[ta.Project.ID]; ta.IsActive && p.IsActive {
					want[fmt.Sprint(p.Client.Name, p.Client.Currency, p.Name, p.Code, ta.Task.ID, ta.Task.Name, ta.Billable)] = true
				}
			}
			for _, a := range got {
				key := fmt.Sprint(a.ClientName, a.Currency, a.ProjectName, a.ProjectCode, a.TaskID, a.TaskName, a.Billable)
				if !want[key] {
					t.Errorf("unexpected or repeated: %+v", a)
				}
				delete(want, key)
			}
			if len(want) > 0 {
				t.Errorf("missing: %v", want)
			}
		})
	}
}

func TestEntryPages(t *testing.T) {
	t.Parallel()

	for _, paging := range []string{"page", "cursor", "mixed"} {
		t.Run(paging, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 100 })
			b.Switch(t, map[string]any{"paging": map[string]string{"*": paging}, "limits": map[string]int{"general": 0}})
			seen := map[int64]bool{}
			pages := 0
			for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				pages++
				for _, e := range page.Entries {
					if seen[e.ID] || e.UserID != sandboxtest.UserID {
						t.Errorf("unexpected or repeated: %+v", e)
					}
					seen[e.ID] = true
				}
				if (page.Next == "") != (len(page.Entries) < 100) || strings.Contains(page.Next, "127.0.0.1") {
					t.Errorf("page %d of %d entries, next %q", pages, len(page.Entries), page.Next)
				}
			}
			want := 0
			for _, e := range b.State(t).Entries() {
				if e.User.ID == sandboxtest.UserID {
					want++
				}
			}
			if len(seen) != want || pages < 5 {
				t.Errorf("%d entries on %d pages, want %d", len(seen), pages, want)
			}
			for _, r := range b.Requests(t) {
				if q, err := url.ParseQuery(r.Query); err != nil || q.Get("user_id") != strconv.Itoa(sandboxtest.UserID) {
					t.Errorf("request without the user: %s", r.Query)
				}
			}
		})
	}

	t.Run("Filter", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		to := planner.DateOf(b.Now(t)).AddDays(-7)
		from := to.AddDays(-13)
		for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{From: &from, To: &to}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Entries) == 0 {
				t.Error("no entries")
			}
			for _, e := range page.Entries {
				if e.SpentDate < from || e.SpentDate > to {
					t.Errorf("%s is outside %s to %s", e.SpentDate, from, to)
				}
			}
		}
		// Exclusive, whole seconds, UTC.
		entry := b.freshEntry(t)
		created, err := b.client.CreateEntry(t.Context(), entry, "furrow:1:1", "")
		if err != nil {
			t.Fatal(err)
		}
		berlin := time.FixedZone("", 3600)
		for shift, want := range map[time.Duration]bool{0: false, -time.Second: true} {
			found := false
			since := created.UpdatedAt.Add(shift).Add(900 * time.Millisecond).In(berlin)
			for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{UpdatedSince: since}) {
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					found = found || e.ID == created.ID
				}
			}
			if found != want {
				t.Errorf("updated since %v of %v: found %v", since, created.UpdatedAt, found)
			}
		}
	})

	t.Run("ResumeAndStop", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 100 })
		var ids []int64
		resume, pages := "", 0
		for {
			stopped := false
			for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{Resume: resume}) {
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entries {
					ids = append(ids, e.ID)
				}
				pages++
				if resume = page.Next; resume != "" && pages%2 == 0 {
					stopped = true
					break
				}
			}
			if !stopped {
				break
			}
		}
		var all []int64
		for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Entries {
				all = append(all, e.ID)
			}
		}
		if fmt.Sprint(ids) != fmt.Sprint(all) {
			t.Errorf("%d entries in pieces, %d at once", len(ids), len(all))
		}
	})

	t.Run("ResumeElsewhere", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedEmpty, nil)
		sent := b.count(t, sandboxtest.Match{})
		for _, resume := range []string{"https://evil.example/v2/time_entries", "//evil.example/v2/time_entries", "/admin", "/v2/../admin", "v2/time_entries", "/v2/%2e%2e/admin"} {
			for _, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{Resume: resume}) {
				checkCall(t, err, ledger.NotSent, ledger.ReasonUnreadable, 0)
			}
		}
		if n := sent(); n != 0 {
			t.Errorf("%d requests", n)
		}
	})

	t.Run("AfterCancel", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 100 })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		pages := 0
		for _, err := range b.client.EntryPages(ctx, ledger.EntryFilter{}) {
			pages++
			last = err
			cancel()
		}
		var call *ledger.CallError
		if !errors.Is(last, context.Canceled) || !errors.As(last, &call) || pages > 3 {
			t.Errorf("%d pages, then %v", pages, last)
		}
	})

	t.Run("PanicsWhereItIsConsumed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, func(cfg *harvest.Config, _ *harvest.Credentials) { cfg.PageSize = 100 })
		defer func() {
			if recover() != "stop" {
				t.Error("the consumer's panic was lost")
			}
		}()
		for range b.client.EntryPages(t.Context(), ledger.EntryFilter{}) {
			panic("stop")
		}
	})

	t.Run("OthersAreLeftOut", func(t *testing.T) {
		t.Parallel()
		// As if the filter had been lost on the way: the answer has everybody's entries.
		b := setup(t, sandbox.SeedDemo, nil)
		jonas := 0
		for page, err := range b.client.EntryPages(t.Context(), ledger.EntryFilter{Resume: "/v2/time_entries?per_page=2000"}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Entries {
				if e.UserID != sandboxtest.UserID {
					jonas++
				}
			}
		}
		if jonas > 0 {
			t.Errorf("%d entries of others", jonas)
		}
	})
}

func TestWrites(t *testing.T) {
	t.Parallel()

	t.Run("CreateReadUpdateDelete", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"object", "empty"} {
			b := setup(t, sandbox.SeedDemo, nil)
			b.Switch(t, map[string]any{"delete_body": body})
			entry := b.freshEntry(t)
			const reference = "5b2e1c6a-0000-4000-8000-000000000001:1"
			created, err := b.client.CreateEntry(t.Context(), entry, reference, "https://furrow.example/e/1")
			if err != nil {
				t.Fatal(err)
			}
			if created.ID == 0 || created.Entry() != entry || !created.Is(reference) || created.IsRunning || created.UserID != sandboxtest.UserID {
				t.Errorf("created %+v", created)
			}
			stored, _ := b.State(t).Entry(created.ID)
			if stored.ExternalReference == nil || stored.ExternalReference.Permalink != "https://furrow.example/e/1" || stored.Hours.String() != "1.75" {
				t.Errorf("stored %+v", stored)
			}
			found, err := b.client.EntriesByReference(t.Context(), reference)
			if err != nil || len(found) != 1 || found[0] != created {
				t.Errorf("found %+v, %v", found, err)
			}

			notes, hours := "", planner.Hours(1)
			changed, err := b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{Notes: &notes})
			if err != nil || changed.Notes != "" || changed.Hours != entry.Hours {
				t.Errorf("changed %+v, %v", changed, err)
			}
			changed, err = b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{Hours: &hours})
			if err != nil || changed.Hours != 1 || !changed.Is(reference) {
				t.Errorf("changed %+v, %v", changed, err)
			}
			same, err := b.client.UpdateEntry(t.Context(), created.ID, ledger.Changes{})
			if err != nil || same != changed {
				t.Errorf("unchanged %+v, %v", same, err)
			}
			if err := b.client.DeleteEntry(t.Context(), created.ID); err != nil {
				t.Error(err)
			}
			_, err = b.client.Entry(t.Context(), created.ID)
			checkCall(t, err, ledger.Refused, ledger.ReasonNotFound, http.StatusNotFound)
			checkCall(t, b.client.DeleteEntry(t.Context(), created.ID), ledger.Refused, ledger.ReasonNotFound, http.StatusNotFound)
		}
	})

	t.Run("NeverZeroHours", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		entry := b.freshEntry(t)
		sent := b.count(t, sandboxtest.Match{})
		for _, hours := range []planner.Hours{0, -1} {
			entry.Hours = hours
			_, err := b.client.CreateEntry(t.Context(), entry, "r", "")
			checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 0)
			_, err = b.client.UpdateEntry(t.Context(), 1, ledger.Changes{Hours: &hours})
			checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 0)
		}
		if n := sent(); n != 0 {
			t.Errorf("%d requests", n)
		}
	})

	t.Run("ReferencesOfOthers", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		entry := b.freshEntry(t)
		foreign := map[string]any{
			"project_id": entry.ProjectID, "task_id": entry.TaskID, "spent_date": entry.SpentDate.String(), "hours": 1,
			"external_reference": map[string]string{"id": "r", "group_id": "other"},
		}
		if status, body := b.API(t, sandboxtest.Token, http.MethodPost, "/v2/time_entries", foreign); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
		var ids []int64
		for range 2 { // duplicates are possible, lowest id first
			created, err := b.client.CreateEntry(t.Context(), entry, "r", "")
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, created.ID)
		}
		found, err := b.client.EntriesByReference(t.Context(), "r")
		if err != nil || len(found) != 2 || found[0].ID != ids[0] || found[1].ID != ids[1] {
			t.Errorf("found %+v, %v; want %v", found, err, ids)
		}
	})

	t.Run("ReferenceDropped", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		b.Switch(t, map[string]any{"drop_external_reference": true})
		entry := b.freshEntry(t)
		created, err := b.client.CreateEntry(t.Context(), entry, "r", "")
		if err != nil || created.Entry() != entry || created.ReferenceID != "" {
			t.Errorf("created %+v, %v; it exists all the same", created, err)
		}
	})

	t.Run("RefusedWithWords", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedDemo, nil)
		entry := b.freshEntry(t)
		entry.TaskID = 1
		_, err := b.client.CreateEntry(t.Context(), entry, "r", "")
		call := checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, http.StatusUnprocessableEntity)
		if call.Message == "" || call.RequestID == "" || call.Call != "POST /v2/time_entries" {
			t.Errorf("error %+v", call)
		}
	})

	t.Run("LongWords", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sandbox.SeedEmpty, nil)
		b.Fault(t, sandboxtest.Fault{Fault: sandbox.FaultStatus, Status: 422, Message: "\x1b[31m" + strings.Repeat("ä\n", 400) + sandboxtest.Token})
		err := b.client.DeleteEntry(t.Context(), 1)
		call := checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, 422)
		if len(call.Message) > 500 || len(call.Message) < 490 || strings.ContainsAny(call.Message, "\n\x1b\ufffd") {
			t.Errorf("message of %d bytes: %q", len(call.Message), call.Message)
		}
	})

	t.Run("OtherMode", func(t *testing.T) {
		t.Parallel()
		// On an account with start and end times, hours are taken or refused, and never run on.
		b := setup(t, sandbox.SeedDemo, nil)
		entry := b.freshEntry(t)
		b.Switch(t, map[string]any{"account_mode": "timestamp"})
		created, err := b.client.CreateEntry(t.Context(), entry, "r", "")
		if err != nil || created.IsRunning {
			t.Errorf("created %+v, %v", created, err)
		}
		b.Switch(t, map[string]any{"hours_on_timestamp_account": "rejected"})
		_, err = b.client.CreateEntry(t.Context(), entry, "r2", "")
		checkCall(t, err, ledger.Refused, ledger.ReasonInvalid, http.StatusUnprocessableEntity)
	})

	t.Run("TimerIsStopped", func(t *testing.T) {
		t.Parallel()
		for _, stops := range []bool{true, false} {
			b := setup(t, sandbox.SeedDemo, nil)
			entry := b.freshEntry(t)
			// A Harvest that overlooks the hours of a create, and so starts a timer.
			target, err := url.Parse(b.URL)
			if err != nil {
				t.Fatal(err)
			}
			proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				if r.In.Method != http.MethodPost {
					return
				}
				var body map[string]any
				if err := json.NewDecoder(r.In.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				delete(body, "hours")
				text, err := json.Marshal(body)
				if err != nil {
					t.Error(err)
				}
				r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
			}})
			defer proxy.Close()
			h, err := harvest.New(harvest.Config{BaseURL: proxy.URL, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if !stops {
				b.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Method: http.MethodPatch}, Fault: sandbox.FaultStatus, Status: 500})
			}
			created, err := h.Client(ida(), harvest.Interactive).CreateEntry(t.Context(), entry, "r", "")
			if err != nil || created.ID == 0 || created.IsRunning == stops || !created.Is("r") {
				t.Errorf("stops %v: created %+v, %v", stops, created, err)
			}
			if stored, _ := b.State(t).Entry(created.ID); stored.IsRunning == stops {
				t.Errorf("stops %v: stored %+v", stops, stored)
			}
		}
	})
}

// checkCall fails unless err is a CallError as described, and returns it.
func checkCall(t *testing.T, err error, class ledger.Class, reason ledger.Reason, status int) *ledger.CallError {
	t.Helper()
	var call *ledger.CallError
	if !errors.As(err, &call) {
		t.Fatalf("error %v, want a CallError (%s, %s)", err, class, reason)
	}
	if call.Class != class || call.Reason != reason || call.Status != status {
		t.Errorf("error %v, want %s, %s, status %d", call, class, reason, status)
	}
	return call
}
