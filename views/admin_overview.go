package views

// AdminOverviewPage is how everything stands.
type AdminOverviewPage struct {
	Chrome Chrome
	Live   AdminOverview
	Spans  []Option // of the charts; each is a link
	Charts []Chart
}

// AdminOverview is the part of the page that changes by itself. While Poll is set
// it asks for itself every two seconds.
type AdminOverview struct {
	Problems []AdminProblem // the worst first; none: all is well
	Facts    []AdminFact
	Poll     string
}

// AdminProblem is something that is not as it should be, and the page that shows
// more of it.
type AdminProblem struct {
	Tone FlashKind // bad: somebody must act; note: it is known, or heals
	Text string
	URL  string
	Link string // what the link says
}
