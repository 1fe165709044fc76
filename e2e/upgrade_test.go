package e2e

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"furrow/db/localpg/testpg"
	"furrow/harvest/sandbox"
	"furrow/harvest/sandbox/sandboxtest"
)

// What the previous release left behind: its backup, and the Harvest that it
// worked with. They are made again, after a release, by setting previousRelease and
//
//	FURROW_REMAKE_PREVIOUS=1 go test ./e2e -run TestRemakePrevious
const (
	previousBackup  = "testdata/previous.backup"
	previousHarvest = "testdata/previous.sandbox.json.gz"
)

// What is in it, beside the demo account: durations in rows of one day, the first
// two in Harvest, the third perhaps, the others not.
func previousPlan() (rows []row, durations, hours []string) {
	return freeRows(), []string{"1:30", "2", "45m", "0:06", "3:15"}, []string{"1.5", "2", "0.75", "0.1", "3.25"}
}

const (
	previousTemplate = "An ordinary week"
	previousNote     = "Stand-up of every week"
	previousRate     = "81.25"
	previousGoal     = "1234.50"
)

// TestRemakePrevious works with the previous release and keeps what it leaves.
func TestRemakePrevious(t *testing.T) {
	if os.Getenv("FURROW_REMAKE_PREVIOUS") == "" {
		t.Skip("it changes what the tests of an upgrade begin with")
	}
	binary, dataDir := buildPrevious(t), testpg.DataDir(t)
	state := filepath.Join(t.TempDir(), "sandbox.json")
	stand := sandboxtest.StartWith(t, sandbox.Options{Seed: "demo", StateFile: state})
	p := onMachine(t, dataDir, "--harvest-url", stand.URL, "--harvest-id-url", stand.URL)
	p.command = func(args ...string) *exec.Cmd { return exec.CommandContext(context.Background(), binary, args...) }
	p.start()
	ida := newPerson(t, p)
	ida.setUp()
	day := today(t)
	rows, durations, _ := previousPlan()
	ida.plan(day, rows[:2], durations[:2]...)
	ida.push()
	ida.inStep()

	week := ida.get("/week").url.Path
	date := strings.TrimPrefix(week, "/weeks/")
	ida.post("/templates", url.Values{"week": {date}, "name": {previousTemplate}})
	option := ida.get(week).Find("#add-row option[value]").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.AttrOr("value", "") != "" }).First()
	ida.post("/recurring", url.Values{
		"mutation_id": {"recurring"}, "row": {strings.Replace(option.AttrOr("value", ""), ":", "-", 1)}, "day": {"1", "4"}, "duration": {"0:15"},
		"note": {previousNote}, "from": {day.AddDate(0, 0, 7).Format(time.DateOnly)}, "until": {""},
	})
	rates := fields(ida.get("/settings/rates").Find("form:has([name^='rate.'])"))
	for name := range rates {
		rates.Set(name, previousRate)
	}
	ida.post("/settings/rates", rates)
	ida.post("/settings/rates/goal", url.Values{"amount": {previousGoal}, "currency": {"EUR"}, "every": {"week"}})
	ida.post("/settings/tokens", url.Values{"name": {"Script"}})

	// One more arrives, and nobody can see it; then nothing does.
	down := sandboxtest.Fault{Fault: "status", Status: http.StatusServiceUnavailable, After: 1, Match: sandboxtest.Match{Path: "/v2/time_entries"}}
	lost := sandboxtest.Fault{Fault: "apply_then_drop", Times: 1, Match: sandboxtest.Match{Method: "POST", Path: "/v2/time_entries"}}
	stand.Fault(t, lost)
	stand.Fault(t, down)
	ida.plan(day, rows[2:3], durations[2])
	ida.push()
	waitFor(t, patience, "one of them in Harvest", func() error {
		if n := ours(stand.State(t)); n != 3 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	ida.plan(day, rows[3:], durations[3:]...)
	ida.push()
	file, err := filepath.Abs(previousBackup)
	if err != nil {
		t.Fatal(err)
	}
	if said, status := runCommand(t, binary, "backup", file, "--data-dir", dataDir); status != 0 {
		t.Fatal(said)
	}
	p.stop()
	if err := stand.Server.Close(); err != nil { // it writes its state
		t.Fatal(err)
	}
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(previousHarvest)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, err = zipped.Write(text)
	if err := errors.Join(err, zipped.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestUpgrade brings the data of the previous release into this program: all is
// there, and what was on its way to Harvest arrives once.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	furrow, err := run.binary()
	if err != nil {
		t.Fatal(err)
	}
	stand := sandboxtest.StartWith(t, sandbox.Options{StateFile: previousState(t)})
	sentBefore := stand.State(t).Entries()
	day := dayOfOurs(t, sentBefore)
	rows, durations, hours := previousPlan()
	dataDir := testpg.DataDir(t)
	if said, status := runCommand(t, furrow, "restore", previousBackup, "--data-dir", dataDir); status != 0 {
		t.Fatalf("restore: exit status %d, %s", status, said)
	}
	toSandbox := []string{"--harvest-url", stand.URL, "--harvest-id-url", stand.URL}

	// Without a worker all is as it was left.
	p := onMachine(t, dataDir, append(toSandbox, "--role", "web")...)
	p.start()
	ida := newPerson(t, p)
	ida.logIn()
	week := "/weeks/" + day.AddDate(0, 0, -dayOf(day)).Format(time.DateOnly)
	for _, path := range []string{
		"/week", week, week + "/push", week + "/history", week + "/check", week + "/reconcile", week + "/copy", week + "/carry", week + "/quick",
		"/ledger", "/ledger.csv", "/templates", "/recurring", "/settings", "/settings/week", "/settings/rates", "/settings/harvest",
		"/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/audit", "/admin/users",
	} {
		if d := ida.get(path); d.status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, d.status, words(d.Find("main").Text()))
		}
	}
	checkPlan(t, ida, week, rows, day, durations)
	for path, want := range map[string]string{"/templates": previousTemplate, "/recurring": previousNote, "/settings": "Script"} {
		if text := words(ida.get(path).Find("main").Text()); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q: %s", path, want, text)
		}
	}
	kept := fields(ida.get("/settings/rates").Find("form"))
	if kept.Get("amount") != previousGoal {
		t.Errorf("the goal is %q", kept.Get("amount"))
	}
	rates := 0
	for name, values := range kept {
		if strings.HasPrefix(name, "rate.") && values[0] == previousRate {
			rates++
		}
	}
	if rates == 0 {
		t.Errorf("no rate of one's own is left: %v", kept)
	}
	p.stop()
	if now := stand.State(t).Entries(); len(now) != len(sentBefore) {
		t.Errorf("Harvest holds %d entries, and held %d", len(now), len(sentBefore))
	}

	// With one, the rest is sent, and nothing a second time.
	p = onMachine(t, dataDir, toSandbox...)
	p.start()
	ida.program = p
	ida.inStep()
	for i, r := range rows {
		checkOnce(t, stand.Control, r, day, hours[i], "")
	}
	if n := ours(stand.State(t)); n != len(rows) {
		t.Errorf("Harvest holds %d lines of ours, want %d", n, len(rows))
	}
	checkPlan(t, ida, week, rows, day, durations)
}

// previousState is a copy of the sandbox's state that a sandbox may change.
func previousState(tb testing.TB) string {
	tb.Helper()
	packed, err := os.Open(previousHarvest)
	if err != nil {
		tb.Fatal(err)
	}
	defer packed.Close()
	zipped, err := gzip.NewReader(packed)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), "sandbox.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// dayOfOurs is the one day that entries of ours are on.
func dayOfOurs(tb testing.TB, entries []sandboxtest.TimeEntry) time.Time {
	tb.Helper()
	for _, e := range entries {
		if e.ExternalReference != nil && e.ExternalReference.ID != "" {
			day, err := time.Parse(time.DateOnly, e.SpentDate)
			if err != nil {
				tb.Fatal(err)
			}
			return day
		}
	}
	tb.Fatal("there is no entry of ours in Harvest")
	return time.Time{}
}

// checkPlan compares a day of the plan with durations as they are typed.
func checkPlan(tb testing.TB, p *person, week string, rows []row, day time.Time, durations []string) {
	tb.Helper()
	planned := map[string]int{}
	p.get(week).Find("#week-grid input[name^='p.']").Each(func(_ int, s *goquery.Selection) {
		if strings.HasSuffix(s.AttrOr("name", ""), fmt.Sprintf(".%d", dayOf(day))) {
			planned[s.AttrOr("value", "")]++
		}
	})
	for i, typed := range durations {
		shown := map[string]string{"2": "2:00", "45m": "0:45"}[typed]
		if shown == "" {
			shown = typed
		}
		if planned[shown] != 1 {
			tb.Errorf("%s: planned are %v, want %s once", rows[i], planned, shown)
		}
	}
}
