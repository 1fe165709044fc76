package views

// LoginCodePage is the second step of a log-in. Fields: code, and the hidden next.
type LoginCodePage struct {
	Chrome Chrome
	Fields Fields
	Next   string
}

// SecondFactorPage sets up, or takes away, the code that somebody logs in with
// besides the password. Field of its forms: code.
type SecondFactorPage struct {
	Chrome   Chrome
	Fresh    bool // what needs a fresh log-in is open
	Required bool // nothing else is, before this is set up

	QR, Secret string // of one that was begun: a data URL, and the same to type; empty: none

	On        bool
	CodesLeft int      // recovery codes
	Codes     []string // just made, shown this once
	CodesFile string   // the same as a file: a data URL
	Fields    Fields
}

// SessionsPage lists where the reader is logged in.
type SessionsPage struct {
	Chrome   Chrome
	Sessions []OpenSession
}

// OpenSession is one log-in that is in force.
type OpenSession struct {
	ID          int64
	Current     bool   // the one that asks
	Device      string // in words
	Address     string // on the network
	Since, Seen Moment
}

func (p SessionsPage) others() int {
	n := 0
	for _, s := range p.Sessions {
		if !s.Current {
			n++
		}
	}
	return n
}

// codeField is where a one-time code is typed.
func codeField(label, problem string, focus bool) fieldModel {
	return fieldModel{Name: "code", Label: label, Error: problem, Autocomplete: "one-time-code", Inputmode: "numeric", Required: true, Focus: focus}
}
