package views

// ConfirmPage asks who is logged in to prove it again, before something that
// matters. Fields: password, code if NeedsCode, and the hidden next.
type ConfirmPage struct {
	Chrome    Chrome
	Email     string
	NeedsCode bool
	Next      string // where to go on; nothing is repeated by itself
	Fields    Fields
}
