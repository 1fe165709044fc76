package views

// Begin is what an empty week offers to somebody new.
type Begin struct {
	Connected bool // then only rows are missing
	Sandbox   bool // the sandbox takes Harvest's place
	Admin     bool // may start the program in another way
}

// What the sandbox knows its user by. Neither is a secret: the README says them.
const (
	sandboxToken   = "1.pt.sandbox"
	sandboxAccount = "1001"
)

func (b Begin) title() string {
	switch {
	case b.Connected:
		return "A blank week"
	case b.Sandbox:
		return "Three ways to begin"
	default:
		return "Two ways to begin"
	}
}

func (b Begin) lead() string {
	if b.Connected {
		return "Nothing is planned or tracked in it yet."
	}
	return "Plan your week here, see beside it what you tracked, and send to Harvest what you worked when you say so."
}
