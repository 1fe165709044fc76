package views

// SettingsPage is the profile: what Harvest says and what overrides it.
type SettingsPage struct {
	Chrome Chrome
	Email  string
	Fresh  bool // what needs a fresh log-in is open

	// Choices of the fields week_start, duration_format and time_zone. The first
	// one of each has the empty value and stands for Harvest's setting.
	WeekStarts      []Option
	DurationFormats []Option
	TimeZones       []Option
	LetterKeys      []Option // of letter_keys, on and off
	Profile         Fields

	Password Fields // current_password, new_password

	Tokens   []APIToken
	NewToken string // the token just made, shown this once
	Token    Fields // name

	Harvest HarvestBrief
}

// HarvestBrief is the connection in one line.
type HarvestBrief struct {
	Connected bool
	Account   string
	Sentence  string // if it needs its owner
}

// APIToken is a token for the API; the token itself is not kept.
type APIToken struct {
	ID       int64
	Name     string
	Created  Moment
	LastUsed Moment
}

// HarvestPage connects Furrow with Harvest. Fields of the form: token,
// account_id.
type HarvestPage struct {
	Chrome     Chrome
	Connection *Connection // nil: not connected
	Fields     Fields
	Sandbox    bool     // offers the sandbox's known token as help
	Budgets    *Budgets // nil: not connected
	OAuthURL   string   // where the form of the button for logging in at Harvest goes (POST); empty: no button
}

// AccountChoicePage asks which of the accounts that a log-in opened to connect.
// Field of the form: account_id.
type AccountChoicePage struct {
	Chrome   Chrome
	Accounts []AccountOption
	Fields   Fields
}

// AccountOption is a Harvest account to choose.
type AccountOption struct {
	ID   int64
	Name string
}

// Connection is a live or broken connection with Harvest.
type Connection struct {
	Account    string // company name
	AccountID  int64
	AccountURL string // web address of the account; may be empty
	User       string
	UserEmail  string
	TakenOver  []Setting // settings that Furrow follows, in words
	LastSync   Moment

	// When the settings, the projects and tasks, and the budgets were read; zero
	// if they never were.
	SettingsAsOf, ProjectsAsOf, BudgetsAsOf Moment

	Since   Moment
	Broken  string // what is wrong and what to do; empty if all is well
	Paused  string // by whom, why and until when; empty if it is not
	Waiting int    // writes that have not reached Harvest yet
}

// Budgets are the budgets of the user's projects as Harvest last told them.
type Budgets struct {
	AsOf   Moment // zero: never read
	Hidden bool   // Harvest does not show them to this user
	Rows   []BudgetRow
}

// BudgetRow is a project and its budget; the figures are finished text, empty
// if Harvest does not show them.
type BudgetRow struct {
	Client, Project          string
	Budget, Spent, Remaining string
	Monthly                  bool // starts anew every month
	Over                     bool // more is spent than there was
}

// figure is text, or that there is none to see.
func figure(text string) string {
	if text == "" {
		return "not shown"
	}
	return text
}

// Setting is a name and its value in words.
type Setting struct {
	Name, Value string
}

func (b HarvestBrief) link() string {
	if b.Connected {
		return "Look at the connection"
	}
	return "Connect Harvest"
}

func (c Connection) waiting() string {
	return counted(c.Waiting, "change has", "changes have") + " not reached Harvest yet. Disconnecting keeps them here, unsent."
}
