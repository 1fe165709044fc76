package harvest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// samplePage is a page as it comes over the wire.
func samplePage(tb testing.TB, seed string, entries int) []byte {
	tb.Helper()
	s := sandboxtest.Start(tb, seed)
	status, body := s.API(tb, sandboxtest.Token, http.MethodGet, fmt.Sprintf("/v2/time_entries?per_page=%d", entries), nil)
	if status != http.StatusOK {
		tb.Fatalf("status %d", status)
	}
	return body
}

// slowDecode reads a page with encoding/json, field by field as documented: the
// scanner's other opinion.
func slowDecode(tb testing.TB, body []byte) []ledger.RemoteEntry {
	tb.Helper()
	var page struct {
		Entries []struct {
			ID             int64       `json:"id"`
			SpentDate      string      `json:"spent_date"`
			Hours          json.Number `json:"hours"`
			StartedTime    string      `json:"started_time"`
			EndedTime      string      `json:"ended_time"`
			Notes          string      `json:"notes"`
			IsLocked       bool        `json:"is_locked"`
			LockedReason   string      `json:"locked_reason"`
			ApprovalStatus string      `json:"approval_status"`
			IsBilled       bool        `json:"is_billed"`
			IsRunning      bool        `json:"is_running"`
			TimerStartedAt time.Time   `json:"timer_started_at"`
			TimerBefore    json.Number `json:"hours_without_timer"`
			Billable       bool        `json:"billable"`
			CreatedAt      time.Time   `json:"created_at"`
			UpdatedAt      time.Time   `json:"updated_at"`
			User           wireClient  `json:"user"`
			Client         wireClient  `json:"client"`
			Project        wireClient  `json:"project"`
			Task           wireClient  `json:"task"`
			Reference      struct {
				ID    string `json:"id"`
				Group string `json:"group_id"`
			} `json:"external_reference"`
		} `json:"time_entries"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		tb.Fatal(err)
	}
	var entries []ledger.RemoteEntry
	id := func(n number) int64 {
		i, err := n.Int64()
		if err != nil {
			tb.Fatal(err)
		}
		return i
	}
	timeOfDay := func(text string) planner.TimeOfDay {
		if text == "" {
			return 0
		}
		at, err := time.Parse("3:04pm", text)
		if err != nil {
			at, err = time.Parse("15:04", text)
		}
		if err != nil {
			tb.Fatal(err)
		}
		return planner.TimeAt(planner.Minutes(at.Hour()*60 + at.Minute()))
	}
	for _, w := range page.Entries {
		date, err := planner.ParseDate(w.SpentDate)
		if err != nil {
			tb.Fatal(err)
		}
		f, err := w.Hours.Float64()
		if err != nil {
			tb.Fatal(err)
		}
		before := 0.0
		if w.IsRunning {
			if before, err = w.TimerBefore.Float64(); err != nil {
				tb.Fatal(err)
			}
		}
		entries = append(entries, ledger.RemoteEntry{
			ID: w.ID, UserID: id(w.User.ID), ClientID: id(w.Client.ID), ClientName: w.Client.Name, Currency: w.Client.Currency,
			ProjectID: id(w.Project.ID), ProjectName: w.Project.Name, TaskID: id(w.Task.ID), TaskName: w.Task.Name, SpentDate: date,
			Hours: planner.Hours(f*100 + 0.5), StartedTime: timeOfDay(w.StartedTime), EndedTime: timeOfDay(w.EndedTime), Notes: w.Notes, IsLocked: w.IsLocked, LockedReason: w.LockedReason,
			ApprovalStatus: w.ApprovalStatus, IsBilled: w.IsBilled, IsRunning: w.IsRunning, TimerStartedAt: w.TimerStartedAt, TimerBefore: planner.Hours(before*100 + 0.5), Billable: w.Billable,
			ReferenceID: w.Reference.ID, ReferenceGroup: w.Reference.Group, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
		})
	}
	return entries
}

func TestDecodeEntriesAsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{sandbox.SeedDemo, sandbox.SeedLarge} {
		body := samplePage(t, seed, maxPerPage)
		page, _, err := decodeEntries(body)
		if err != nil {
			t.Fatal(err)
		}
		want := slowDecode(t, body)
		if len(page.Entries) < 500 || len(page.Entries) != len(want) {
			t.Fatalf("%d entries, want %d", len(page.Entries), len(want))
		}
		for i, e := range page.Entries {
			if !reflect.DeepEqual(e, want[i]) {
				t.Fatalf("entry %d:\n got %+v\nwant %+v", i, e, want[i])
			}
		}
	}
}

func TestDecodeEntry(t *testing.T) {
	t.Parallel()
	day := planner.NewDate(2026, time.January, 15)
	for _, tt := range []struct {
		name    string
		body    string
		want    ledger.RemoteEntry
		wantErr string
	}{
		{
			name: "least", body: `{"id":1,"spent_date":"2026-01-15"}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day},
		},
		{
			name: "unknown fields and nulls",
			body: ` { "new":[{"a":[1,-2.5e+3,true,false,null,"\u00e9"]},{}], "id":1,"spent_date":"2026-01-15","hours":null,"notes":null,"locked_reason":null,
				"user":null,"client":null,"project":null,"task":null,"external_reference":null,"created_at":null,"updated_at":"","is_locked":null }
				`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day},
		},
		{
			name: "numbers as strings", body: `{"id":"17","spent_date":"2026-01-15","hours":"1.25","user":{"id":"3"}}`,
			want: ledger.RemoteEntry{ID: 17, SpentDate: day, Hours: 125, UserID: 3},
		},
		{
			name: "ids beyond 2^53 and as floats", body: `{"id":9007199254740993,"spent_date":"2026-01-15","project":{"id":17.0},"task":{"id":1.7e1},"user":{"id":9223372036854775807}}`,
			want: ledger.RemoteEntry{ID: 9007199254740993, SpentDate: day, ProjectID: 17, TaskID: 17, UserID: 9223372036854775807},
		},
		{
			name: "24-hour clock", body: `{"id":1,"spent_date":"2026-01-15","started_time":"09:10","ended_time":"14:40"}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day, StartedTime: planner.TimeAt(550), EndedTime: planner.TimeAt(880)},
		},
		{
			name: "12-hour clock, from midnight", body: `{"id":1,"spent_date":"2026-01-15","started_time":"12:00am","ended_time":"2:40 PM"}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day, StartedTime: planner.TimeAt(0), EndedTime: planner.TimeAt(880)},
		},
		{
			name: "times that are none", body: `{"id":1,"spent_date":"2026-01-15","started_time":null,"ended_time":"half past two"}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day},
		},
		{
			name: "a time of another kind", body: `{"id":1,"spent_date":"2026-01-15","started_time":{"hour":9}}`, wantErr: "unexpected kind",
		},
		{
			name: "reference ids as strings and numbers", body: `{"id":1,"spent_date":"2026-01-15","external_reference":{"id":"a\"b","group_id":4711,"service":"x"}}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day, ReferenceID: `a"b`, ReferenceGroup: "4711"},
		},
		{
			name: "text", body: `{"id":1,"spent_date":"2026-01-15","notes":"a\u0000b\\\"\n\ud83c\udf3e\/","client":{"name":"Å\u00e5"}}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day, Notes: "ab\\\"\n🌾/", ClientName: "Åå"},
		},
		{
			name: "instants are UTC", body: `{"id":1,"spent_date":"2026-01-15","updated_at":"2026-01-15T14:02:11+02:00"}`,
			want: ledger.RemoteEntry{ID: 1, SpentDate: day, UpdatedAt: time.Date(2026, 1, 15, 12, 2, 11, 0, time.UTC)},
		},
		{name: "no id", body: `{"spent_date":"2026-01-15"}`, wantErr: "id: missing"},
		{name: "no date", body: `{"id":1}`, wantErr: "not a date"},
		{name: "bad date", body: `{"id":1,"spent_date":"2026-02-30"}`, wantErr: "not a date"},
		{name: "bad hours", body: `{"id":1,"spent_date":"2026-01-15","hours":"secret"}`, wantErr: "not a number"},
		{name: "half an id", body: `{"id":1.5,"spent_date":"2026-01-15"}`, wantErr: "not a number"},
		{name: "id too large", body: `{"id":9223372036854775808,"spent_date":"2026-01-15"}`, wantErr: "not a number"},
		{name: "huge exponent", body: `{"id":1,"spent_date":"2026-01-15","hours":1e999999999}`, wantErr: "not a number"},
		{name: "object for text", body: `{"id":1,"spent_date":"2026-01-15","notes":{}}`, wantErr: "unexpected kind"},
		{name: "text for object", body: `{"id":1,"spent_date":"2026-01-15","user":"Ida"}`, wantErr: "unexpected kind"},
		{name: "list", body: `[]`, wantErr: "unexpected kind"},
		{name: "null", body: `null`, wantErr: "unexpected kind"},
		{name: "empty", body: ``, wantErr: "well-formed"},
		{name: "cut off", body: `{"id":1,"spent_date":"2026-01-15","notes":"abc`, wantErr: "well-formed"},
		{name: "cut off after a backslash", body: `{"id":1,"notes":"abc\`, wantErr: "well-formed"},
		{name: "more behind", body: `{"id":1,"spent_date":"2026-01-15"} {}`, wantErr: "well-formed"},
		{name: "comma at the end", body: `{"id":1,"spent_date":"2026-01-15",}`, wantErr: "well-formed"},
		{name: "too deep", body: `{"id":1,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, wantErr: "unexpected kind"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeEntry([]byte(tt.body))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) || strings.Contains(err.Error(), "secret") {
					t.Fatalf("error %v, want one with %q and without content", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDecodePage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		wantNext   string
		wantErr    string
	}{
		{"last", `{"time_entries":[],"total_pages":1,"total_entries":0,"links":{"first":"x","next":null}}`, "", ""},
		{"numbers null", `{"time_entries":[],"total_pages":null,"total_entries":"2","links":{"next":"y"}}`, "y", ""},
		{"no entries", `{"links":{"next":null}}`, "", "time_entries"},
		{"entries null", `{"time_entries":null,"links":{"next":null}}`, "", "time_entries"},
		{"no links", `{"time_entries":[]}`, "", "links.next"},
		{"links null", `{"time_entries":[],"links":null}`, "", "links.next"},
		{"no next", `{"time_entries":[],"links":{"first":"x"}}`, "", "links.next"},
		{"empty next", `{"time_entries":[],"links":{"next":""}}`, "", "links.next"},
		{"list", `[]`, "", "unexpected kind"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, next, err := decodeEntries([]byte(tt.body))
			if next != tt.wantNext || (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%q, %v; want %q, %q", next, err, tt.wantNext, tt.wantErr)
			}
			// The other lists read their links with encoding/json, to the same end.
			if strings.HasPrefix(tt.body, "{") && !strings.HasPrefix(tt.wantErr, "time_entries") {
				_, next, err := decodeAssignments([]byte(strings.Replace(tt.body, "time_entries", "project_assignments", 1)))
				if next != tt.wantNext || (err == nil) != (tt.wantErr == "") {
					t.Errorf("assignments: %q, %v; want %q, %q", next, err, tt.wantNext, tt.wantErr)
				}
			}
		})
	}
}

func TestHours(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want planner.Hours
		ok   bool
	}{
		{"", 0, true},
		{"0", 0, true},
		{"0.0", 0, true},
		{"1", 100, true},
		{"1.5", 150, true},
		{"2.11", 211, true},
		{"0.29", 29, true}, // 0.29*100 is 28.999999999999996 in float64
		{"1.005", 101, true},
		{"1.004999999999999999999", 100, true},
		{"2.675", 268, true},
		{"24", 2400, true},
		{"1e1", 1000, true},
		{"150E-2", 150, true},
		{"-1.5", -150, true},
		{"-0.005", -1, true},
		{"1.", 100, true}, // only within a string; decimal reads it
		{"1.2.3", 0, false},
		{".", 0, false},
		{"abc", 0, false},
		{"1e30", 0, false},
		{"99999999999999999999", 0, false},
	} {
		got, err := hours(number(tt.text))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("hours(%q) = %d, %v; want %d, %v", tt.text, got, err, tt.want, tt.ok)
		}
	}
}

func BenchmarkDecodeEntries(b *testing.B) {
	body := samplePage(b, sandbox.SeedLarge, maxPerPage)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		page, _, err := decodeEntries(body)
		if err != nil || len(page.Entries) != maxPerPage {
			b.Fatalf("%d entries, %v", len(page.Entries), err)
		}
	}
	b.ReportMetric(float64(maxPerPage*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkDecodeEntriesEncodingJSON is what the scanner has to beat.
func BenchmarkDecodeEntriesEncodingJSON(b *testing.B) {
	body := samplePage(b, sandbox.SeedLarge, maxPerPage)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		slowDecode(b, body)
	}
	b.ReportMetric(float64(maxPerPage*b.N)/b.Elapsed().Seconds(), "entries/s")
}
