package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
)

// polls waits until a tab was answered n more polls of a week.
func (p *page) polls(n int) {
	p.tb.Helper()
	p.pollsOf("/sync/status", n)
}

// pollsOf waits until a tab was answered n more polls of an address.
func (p *page) pollsOf(address string, n int) {
	p.tb.Helper()
	done := func() int {
		count := 0
		for _, r := range p.asked(address) {
			if r.done {
				count++
			}
		}
		return count
	}
	want := done() + n
	waitFor(p.tb, patience, "polls", func() error {
		if got := done(); got < want {
			return fmt.Errorf("%d of %d", got, want)
		}
		return nil
	})
}

// held is what a poll must leave as it is.
type held struct {
	Value      string
	Start, End int     // the selection
	Y          float64 // where the focused element is seen; the browser scrolls along if something above it grows
	Name       string  // of the focused element
}

// like compares two, but for shifts that nobody sees.
func (h held) like(other held) bool {
	shift := h.Y - other.Y
	h.Y = other.Y
	return h == other && -5 < shift && shift < 5
}

func (p *page) held() held {
	p.tb.Helper()
	return eval[held](p, `(() => {
		const i = document.activeElement;
		return { Value: i.value, Start: i.selectionStart, End: i.selectionEnd, Y: i.getBoundingClientRect().y, Name: i.getAttribute("name") };
	})()`)
}

// Polls change the page around what somebody is typing, and nothing of it.
func TestTypingThroughPoll(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	rows := freeRows()
	ida.plan(day, rows[:2], "1:30", "2")
	p := openTab(t, program).loggedIn(ida)
	p.small()
	p.open("/week")

	typeInto := func(r row) held {
		t.Helper()
		p.cell(r, day).write("1:45x")
		p.press(kb.ArrowLeft + kb.ArrowLeft)
		h := p.held()
		if h.Value != "1:45x" || h.Start != 3 || eval[float64](p, `scrollY`) == 0 {
			t.Fatalf("before the poll: %+v", h)
		}
		return h
	}

	// While a sync runs, and brings another row.
	trackElsewhere(t, sandbox, rows[2], day, "0.25")
	sandbox.Fault(t, sandboxtest.Fault{Match: sandboxtest.Match{Path: "/v2/time_entries"}, Times: 1, Fault: "delay", DelayMS: 6000})
	p.click("button", "Sync now")
	p.sees("Syncing with Harvest")
	eval[any](p, `scrollTo(0, 90)`)
	before := typeInto(rows[0])
	p.polls(2)
	if after := p.held(); !after.like(before) {
		t.Errorf("a poll while a sync runs: %+v, want %+v", after, before)
	}
	p.cellShows(patience, rows[2], day, "0:15")
	if after := p.held(); after.Value != before.Value || after.Start != before.Start || after.Name != before.Name {
		t.Errorf("after a row came: %+v, want %+v", after, before)
	}
	p.press(kb.Escape)

	// While writes wait, in the very cell that waits and in another one.
	sandbox.SetOutage(t, "503")
	ida.push()
	p.open("/week")
	eval[any](p, `scrollTo(0, 180)`)
	p.cellShows(patience, rows[1], day, "waiting")
	before = typeInto(rows[1])
	p.polls(2)
	if after := p.held(); !after.like(before) {
		t.Errorf("a poll while writes wait: %+v, want %+v", after, before)
	}
	sandbox.SetOutage(t, "well")
	p.cellShows(recovery, rows[0], day, "in Harvest")
	if after := p.held(); !after.like(before) {
		t.Errorf("when another cell was sent: %+v, want %+v", after, before)
	}

	// In the end it is stored like any other text.
	p.press(kb.End + kb.Backspace + kb.Enter)
	p.cellHolds(rows[1], day, "1:45")

	// All is settled, so nothing is asked any more.
	p.sees("In step with Harvest")
	asked := len(p.asked("/sync/status"))
	<-time.After(5 * time.Second) // two polls would have come
	if more := len(p.asked("/sync/status")) - asked; more > 0 {
		t.Errorf("%d polls after all was settled", more)
	}
}

// Two tabs edit a cell. The second is asked, and nothing is lost.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	rows := freeRows()
	ida.plan(day, rows[:2], "1", "2")
	first := openTab(t, program).loggedIn(ida)
	second := first.secondTab()
	first.expect("status of 422")
	second.expect("status of 422")
	first.open("/week")
	second.open("/week")

	first.edit(rows[0], day, "3")
	first.cellHolds(rows[0], day, "3:00")
	second.edit(rows[0], day, "4:30")
	second.cellShows(patience, rows[0], day, "Changed in another tab to 3:00. Which one?")
	if typed := second.cell(rows[0], day).value(); typed != "4:30" {
		t.Errorf("the input of the second tab holds %q, want what was typed", typed)
	}
	first.open("/week")
	first.cellHolds(rows[0], day, "3:00")

	second.answers(rows[0], day, "mine")
	second.cellHolds(rows[0], day, "4:30")
	first.open("/week")
	first.cellHolds(rows[0], day, "4:30")

	// Other cells of a page that is behind are no question.
	second.edit(rows[0], day, "5")
	second.cellHolds(rows[0], day, "5:00")
	first.edit(rows[1], day, "6")
	first.cellHolds(rows[1], day, "6:00")

	// The other answer.
	first.edit(rows[1], day, "7")
	first.cellHolds(rows[1], day, "7:00")
	second.edit(rows[1], day, "8")
	second.answers(rows[1], day, "keep 7:00")
	second.cellHolds(rows[1], day, "7:00")
}

// Durations are read kindly, or asked about, or refused with the text kept.
func TestDurations(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	r := freeRows()[0]
	ida.plan(day, freeRows()[:1], "1")
	p := openTab(t, program).loggedIn(ida)
	p.expect("status of 422")
	p.open("/week")

	for _, test := range []struct{ typed, want string }{
		{"2", "2:00"}, {"2.5", "2:30"}, {"2,5", "2:30"}, {".5", "0:30"}, {":30", "0:30"}, {"1:30", "1:30"}, {"1h30", "1:30"},
		{"1h 15m", "1:15"}, {"90m", "1:30"}, {"95min", "1:35"}, {"12", "12:00"}, {"24h", "24:00"},
	} {
		p.edit(r, day, test.typed)
		p.cellHolds(r, day, test.want)
	}

	stored := func(want string) {
		t.Helper()
		field := p.cell(r, day)
		if got := ida.get("/week").Find(`input[name="`+mustCall[string](field, `function() { return this.name }`)+`"]`).AttrOr("value", ""); got != want {
			t.Errorf("stored is %q, want %q", got, want)
		}
	}
	for _, test := range []struct{ typed, says string }{
		{"25h", "A day has 24 hours."},
		{"-1", "Time cannot be negative."},
		{"soon", "Not a duration."},
	} {
		p.edit(r, day, test.typed)
		p.cellShows(patience, r, day, test.says)
		if kept := p.cell(r, day).value(); kept != test.typed {
			t.Errorf("%q became %q", test.typed, kept)
		}
		stored("24:00")
	}

	// Escape takes it back.
	p.cell(r, day).write("nonsense")
	p.press(kb.Escape)
	p.cellHolds(r, day, "24:00")

	p.edit(r, day, "30")
	p.cellShows(patience, r, day, "30 min?")
	stored("24:00")
	p.answers(r, day, "30 min")
	p.cellHolds(r, day, "0:30")

	p.edit(r, day, "20")
	p.cellShows(patience, r, day, "20 min?")
	p.answers(r, day, "20 h")
	p.cellHolds(r, day, "20:00")

	p.edit(r, day, "")
	p.cellHolds(r, day, "")
	stored("")
}

// The program restarts while text is typed and not sent. The browser keeps it,
// and sends it when the program is back.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	rows := freeRows()
	ida.plan(day, rows[:2], "1", "2")
	p := openTab(t, program).loggedIn(ida)
	p.expect("net::ERR_")
	p.expect("Failed to fetch")
	p.open("/week")

	// Typed while it is gone.
	program.stop()
	p.edit(rows[0], day, "3:30")
	p.sees("Not saved: the server cannot be reached. What you typed is still here and will be sent again.")
	program.start()
	p.cellHolds(rows[0], day, "3:30")

	// Typed and not committed when it restarts, and the page is loaded again.
	p.cell(rows[1], day).write("4:15")
	program.stop()
	program.start()
	p.reload()
	p.sees("What you typed earlier is back in its cells and not saved yet.")
	if value := p.cell(rows[1], day).value(); value != "4:15" {
		t.Errorf("the cell holds %q, want 4:15", value)
	}
	p.cell(rows[1], day).focus()
	p.press(kb.Enter)
	p.cellHolds(rows[1], day, "4:15")
	p.reload()
	p.cellHolds(rows[0], day, "3:30")
	p.cellHolds(rows[1], day, "4:15")
}
