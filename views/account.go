package views

// SetupPage makes the first account. Fields: email, password, and setup_token
// if NeedsToken.
type SetupPage struct {
	Chrome     Chrome
	Fields     Fields
	NeedsToken bool
}

// LoginPage asks who is there. Fields: email, password, remember (a tick), and
// the hidden next.
type LoginPage struct {
	Chrome Chrome
	Fields Fields
	Next   string
}
