package views

// RatesPage is what an hour is worth, and what the user wants to earn. Fields of
// the forms: those of the rates; amount, currency and every.
type RatesPage struct {
	Chrome  Chrome
	Clients []RateClient
	Error   string // about the rates as a whole

	Goal       Fields // amount
	Currencies []Option
	Every      []Option
}

// RateClient are the rates for a client.
type RateClient struct {
	Name     string
	Hue      int
	Projects []RateProject
}

// RateProject are the rates of a project's tasks, and the one that is for all of
// them.
type RateProject struct {
	Name     string
	Currency string
	All      RateField
	Tasks    []RateTask
}

// RateTask is a task and its rate.
type RateTask struct {
	Name    string
	Harvest string // Harvest's rate, or why there is none
	Own     RateField
}

// RateField is the field of one's own rate.
type RateField struct {
	Name, Label, Value, Error string
}
