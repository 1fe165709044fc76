package views

func documentTitle(title string) string {
	if title == "" {
		return "Furrow"
	}
	return title + " · Furrow"
}

// who is the logged-in user as the header names them.
func who(c Chrome) string {
	if c.UserName != "" {
		return c.UserName
	}
	return c.Email
}

func flashClass(kind FlashKind) string {
	switch kind {
	case FlashGood:
		return "good"
	case FlashBad:
		return "bad"
	default:
		return "note"
	}
}

func pressed(is bool) string {
	if is {
		return "true"
	}
	return "false"
}

func outageSentence(mode Outage) string {
	switch mode {
	case Outage503:
		return "It is down now: every call gets a 503."
	case Outage429:
		return "It asks to slow down now: every call gets a 429."
	case OutageDrop:
		return "It drops answers now: the work is done, and the answer is lost."
	default:
		return "It answers normally."
	}
}

// fieldModel is an input with everything said around it.
type fieldModel struct {
	Name, Label, Type, Value, Help, Error string
	ID                                    string // empty: by the name
	Autocomplete, Inputmode               string
	MinLength                             int
	Required, Focus                       bool
}

func (f fieldModel) id() string {
	if f.ID != "" {
		return f.ID
	}
	return "f-" + f.Name
}

func (f fieldModel) kind() string {
	if f.Type == "" {
		return "text"
	}
	return f.Type
}

func (f fieldModel) describedBy() string {
	switch {
	case f.Error != "" && f.Help != "":
		return f.id() + "-error " + f.id() + "-help"
	case f.Error != "":
		return f.id() + "-error"
	case f.Help != "":
		return f.id() + "-help"
	default:
		return ""
	}
}
