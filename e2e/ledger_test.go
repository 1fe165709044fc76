package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"furrow/harvest/sandbox/sandboxtest"
)

// opened are the histories that are open on the ledger, by the element's id.
func (p *page) opened() string {
	p.tb.Helper()
	return eval[string](p, `[...document.querySelectorAll("details[open]")].map((d) => d.id).join(" ")`)
}

// summarises waits until the ledger says how many writes there are.
func (p *page) summarises(most time.Duration, want string) {
	p.tb.Helper()
	waitFor(p.tb, most, fmt.Sprintf("the ledger to say %q", want), func() error {
		if said := words(eval[string](p, `document.querySelector("#ledger-list [role=status]").textContent`)); said != want {
			return fmt.Errorf("it says %q", said)
		}
		return nil
	})
}

// The ledger follows what is sent, and leaves alone what somebody types, reads
// or stands on meanwhile; then it asks no more.
func TestLedgerFollows(t *testing.T) {
	t.Parallel()
	program := startProgram(t, "--sandbox")
	sandbox := sandboxtest.Control{BaseURL: program.URL}
	ida := newPerson(t, program)
	ida.setUp()
	day := today(t)
	ida.plan(day, freeRows()[:3], "1", "2", "0:45")
	sandbox.SetOutage(t, "503")
	ida.push()

	p := openTab(t, program).loggedIn(ida)
	p.small()
	p.open("/ledger")
	p.sees("3 are on their way to Harvest.")
	p.sees("It is safe here.")
	eval[any](p, `document.querySelectorAll("summary")[1].click()`)
	opened := p.opened()
	if opened == "" || strings.Contains(opened, " ") {
		t.Fatalf("open: %q", opened)
	}
	eval[any](p, `scrollTo(0, 120)`)
	p.find("searchbox", is("Search")).write("half typ")
	p.press(kb.ArrowLeft + kb.ArrowLeft)
	before := p.held()
	if before.Value != "half typ" || before.Start != 6 {
		t.Fatalf("before the polls: %+v", before)
	}
	p.pollsOf("/ledger/live", 2)
	if after := p.held(); !after.like(before) || p.opened() != opened {
		t.Errorf("polls while writes wait: %+v with %q open, want %+v with %q", after, p.opened(), before, opened)
	}

	// Focus in the part that changes stays too.
	const focused = `document.activeElement.getAttribute("href")`
	eval[any](p, `document.querySelectorAll(".filter a")[5].focus()`)
	sandbox.SetOutage(t, "well")
	p.summarises(recovery, "3 writes.")
	if got := eval[string](p, focused); got != "/ledger?state=sent" || p.opened() != opened {
		t.Errorf("when all was sent, %q has the focus and %q is open", got, p.opened())
	}
	if got := eval[string](p, `document.querySelector("#f-q").value`); got != "half typ" {
		t.Errorf("the search says %q", got)
	}
	asked := len(p.asked("/ledger/live"))
	<-time.After(5 * time.Second) // two polls would have come
	if more := len(p.asked("/ledger/live")) - asked; more > 0 {
		t.Errorf("%d polls after all was settled", more)
	}

	// The page of one write does the same.
	sandbox.SetOutage(t, "503")
	ida.plan(day, freeRows()[3:4], "1:15")
	ida.push()
	p.open(ida.get("/ledger").Find("article a").First().AttrOr("href", ""))
	p.sees("It is safe here.")
	sandbox.SetOutage(t, "well")
	p.seesWithin(recovery, "It is in Harvest.")
	p.sees("Harvest has confirmed it.")
}
