package views

// Nav is an entry of the main navigation.
type Nav string

// The entries of the main navigation; the empty one marks none.
const (
	NavNone     Nav = ""
	NavWeek     Nav = "week"
	NavLedger   Nav = "ledger"
	NavSettings Nav = "settings"
	NavAdmin    Nav = "admin"
)

// Chrome is what surrounds every page.
type Chrome struct {
	Title      string // of the document, without the program's name
	UserName   string // empty: nobody is logged in, and there is no navigation
	Email      string
	SeesAdmin  bool // there is a way to the admin pages
	Active     Nav
	Flash      *Flash // said once, above the page
	Assets     Assets
	SandboxBar *SandboxBar // nil unless the program runs with its sandbox
	Timer      *TimerBar   // nil: none runs
	Theme      Theme
	LettersOff bool // single letters do nothing
}

// Assets are the addresses of the static files, with their hashes. Icon may be
// a data URL, which saves a request.
type Assets struct {
	CSS, HTMX, Script, Icon string
}

// FlashKind is the tone of a flash.
type FlashKind string

// The tones.
const (
	FlashGood FlashKind = "good"
	FlashBad  FlashKind = "bad"
	FlashNote FlashKind = "note"
)

// Flash is one sentence about what just happened.
type Flash struct {
	Kind FlashKind
	Text string
}

// Outage is how the sandbox answers.
type Outage string

// The positions of the outage switch; also the values of the form field "mode".
const (
	OutageWell Outage = "well"
	Outage503  Outage = "503"
	Outage429  Outage = "429"
	OutageDrop Outage = "drop"
)

// SandboxBar says that Harvest is a stand-in, and carries its outage switch.
type SandboxBar struct {
	Mode Outage
	Next string // where to go back to: path and query of this page
}

type outageChoice struct {
	mode        Outage
	label, hint string
}

func outageChoices() []outageChoice {
	return []outageChoice{
		{OutageWell, "All is well", "Harvest answers"},
		{Outage503, "Down", "Harvest answers 503"},
		{Outage429, "Slow down", "Harvest answers 429 and asks to wait"},
		{OutageDrop, "Drops answers", "Harvest does the work, and the answer gets lost"},
	}
}
