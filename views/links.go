package views

// ForgotPage asks whose password is forgotten. Field: email.
type ForgotPage struct {
	Chrome Chrome
	Mail   bool // mails are sent
	Asked  bool // a link is on its way, if somebody has the address
	Fields Fields
}

// ChoosePasswordPage is behind a link that works once. Field: password.
type ChoosePasswordPage struct {
	Chrome Chrome
	Joins  bool // it makes an account
	Email  string
	Action string
	Fields Fields
}

// InvitePage invites somebody. Fields: email, role.
type InvitePage struct {
	Chrome  Chrome
	Mail    bool // mails are sent
	Roles   []Option
	Fields  Fields
	Link    string // the link just made, shown this once
	LinkFor string
	Open    []OpenInvitation
}

// OpenInvitation is one that nobody has followed yet.
type OpenInvitation struct {
	ID                  int64
	Email, Role, MadeBy string
	Expires             Moment
}

// ResetLinkPage shows a link for somebody else, this once.
type ResetLinkPage struct {
	Chrome      Chrome
	Email, Link string
}

func (p ChoosePasswordPage) heading() string {
	if p.Joins {
		return "Welcome to Furrow"
	}
	return "Choose a new password"
}

func (p ChoosePasswordPage) button() string {
	if p.Joins {
		return "Make the account"
	}
	return "Change the password"
}
