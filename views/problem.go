package views

// ErrorPage says what went wrong, and what to do next.
type ErrorPage struct {
	Chrome    Chrome
	Status    int
	Title     string
	Sentence  string
	RequestID string // shown so that it can be quoted; may be empty
}

// ErrorFragment is the same in a part of a page. It is swapped into the
// message area, never over what the user typed.
type ErrorFragment struct {
	Sentence  string
	RequestID string
	URL, Link string // where to go and its label: the login page, in another tab; may be empty
}
