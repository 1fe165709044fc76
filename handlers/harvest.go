package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// harvestHandler connects a user with Harvest, and ends that.
type harvestHandler struct {
	*site
	store   *db.Store
	queue   *jobs.Queue
	connect func(ctx context.Context, token ledger.Secret, accountID int64) (ledger.Account, error)
	// identity is the origin of the page on which Harvest asks its user; empty if
	// there is no connecting by OAuth.
	identity string
}

// connectTimeout is how long Harvest may take to say whose a token is. No other
// page waits for Harvest.
const connectTimeout = 5 * time.Second

func (h *harvestHandler) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, views.Fields{})
}

// page shows the connection, and the form where there is something to connect.
func (h *harvestHandler) page(w http.ResponseWriter, r *http.Request, status int, fields views.Fields) error {
	user := currentUser(r)
	connection, err := h.store.Connection(r.Context(), user.ID)
	if err != nil && !errors.Is(err, planner.ErrNotFound) {
		return err
	}
	page := views.HarvestPage{Chrome: h.chrome(r, "Harvest", views.NavSettings), Fields: fields, Sandbox: h.sandbox != nil}
	if h.identity != "" {
		page.OAuthURL = views.OAuthPath
		letFormsLeadTo(w, h.identity)
	}
	if connection.ID != 0 {
		page.Connection = connectionOf(connection, user, h.now())
		budgets, err := h.store.Budgets(r.Context(), user.ID)
		if err != nil {
			return err
		}
		page.Budgets = budgetsOf(connection, budgets, user, page.Connection.BudgetsAsOf)
		if page.Fields.Values == nil {
			// Another account would be refused.
			page.Fields.Values = map[string]string{"account_id": strconv.FormatInt(connection.Account.AccountID, 10)}
		}
	}
	if fields.Bad() && page.Connection != nil && page.Connection.Broken == "" {
		// There is no form beside a connection that works, so it is said above.
		page.Chrome.Flash = &views.Flash{Kind: views.FlashBad, Text: fieldSentences(fields.Errors) + " The connection below is as it was."}
	}
	return h.render(w, r, status, page.View())
}

// connectForm is what was typed to connect.
type connectForm struct {
	token     ledger.Secret
	accountID string
}

// maxToken is the longest text in bytes that is taken for a token. Harvest does
// not say how long they are; those seen have about a hundred.
const maxToken = 1000

// parse returns the number of the account. The token is only looked at, never
// repeated.
func (f connectForm) parse() (accountID int64, errs planner.FieldErrors) {
	errs = planner.FieldErrors{}
	switch token := f.token.Reveal(); {
	case token == "":
		errs["token"] = "Paste the token that Harvest showed you."
	case len(token) > maxToken || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }):
		errs["token"] = "This does not look like a token. Copy it once more from Harvest, without anything around it."
	}
	accountID, err := strconv.ParseInt(f.accountID, 10, 64)
	switch {
	case f.accountID == "":
		errs["account_id"] = "Type the account ID that Harvest shows beside the token."
	case err != nil || accountID <= 0:
		errs["account_id"] = "An account ID is a number. Harvest shows it beside the token."
	}
	return accountID, errs
}

// create asks Harvest whose the token is, stores it sealed, and starts the
// first sync. The token goes nowhere else: not into the log, not into a page.
func (h *harvestHandler) create(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	form := connectForm{token: ledger.Secret(f.text("token")), accountID: f.text("account_id")}
	refuse := func(status int, errs planner.FieldErrors) error {
		return h.page(w, r, status, f.fields(errs, "account_id"))
	}
	accountID, errs := form.parse()
	if len(errs) > 0 {
		return refuse(http.StatusUnprocessableEntity, errs)
	}
	account, err := h.verify(r.Context(), form.token, accountID)
	if errs := connectProblem(err, accountID); errs != nil {
		h.log.InfoContext(r.Context(), "connecting refused", "error", err.Error())
		return refuse(http.StatusUnprocessableEntity, errs)
	}
	if err != nil {
		return fmt.Errorf("ask Harvest whose a token is: %w", err)
	}
	user := currentUser(r)
	week, err := h.save(r.Context(), user, account, func(tx *db.Tx) (int64, error) {
		return tx.Connect(r.Context(), user.ID, form.token, account)
	})
	if errors.Is(err, planner.ErrConflict) {
		pinned, err := h.store.Connection(r.Context(), user.ID)
		if err != nil {
			return err
		}
		return refuse(http.StatusConflict, pinnedProblem(pinned.Account, account))
	}
	if err != nil {
		return err
	}
	return h.connected(w, r, account, week)
}

func (h *harvestHandler) connected(w http.ResponseWriter, r *http.Request, account ledger.Account, week planner.Week) error {
	h.sessions.flash(r.Context(), views.FlashGood, "Connected with "+accountWords(account.CompanyName, account.AccountID)+". What you tracked there is being read now.")
	return h.redirect(w, r, views.WeekPath(week))
}

func (h *harvestHandler) verify(ctx context.Context, token ledger.Secret, accountID int64) (ledger.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return h.connect(ctx, token, accountID)
}

// save stores the connection by store, starts its first sync and rings for the
// writes that it woke, all or nothing. It returns the user's current week, which
// the account's settings may have moved.
func (h *harvestHandler) save(ctx context.Context, user db.User, account ledger.Account, store func(*db.Tx) (connectionID int64, err error)) (planner.Week, error) {
	profile := user.Profile
	if user.Chosen.TimeZone == "" {
		profile.TimeZone = account.TimeZone
	}
	if user.Chosen.WeekStart == nil {
		profile.WeekStart = account.WeekStart
	}
	today := profile.Today(h.now())
	week := planner.WeekOf(today, profile.WeekStart)
	err := h.store.InTx(ctx, func(tx *db.Tx) error {
		connectionID, err := store(tx)
		if err != nil {
			return err
		}
		if _, _, err := startSync(ctx, tx, h.queue, user.ID, db.TriggerConnect, &week, today); err != nil {
			return err
		}
		return h.queue.Push(ctx, tx, connectionID)
	})
	return week, err
}

// connectProblem tells why Harvest did not accept the credentials; nil if there
// is no error, or one that is ours.
func connectProblem(err error, accountID int64) planner.FieldErrors {
	const form, stored = "", " Nothing was stored."
	account := strconv.FormatInt(accountID, 10)
	var call *ledger.CallError
	var wait *ledger.WaitError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrAccessRevoked):
		// Harvest answers 401 for either; which one it means is not documented.
		return planner.FieldErrors{"token": "Harvest does not accept this token for account " + account + ". Copy both once more from Harvest, or make a new token there." + stored}
	case errors.As(err, &wait):
		return planner.FieldErrors{form: sentences(causeSentence(string(wait.Why), wait.Status), "Try again in "+waitWords(wait.Wait)+".") + stored}
	case errors.As(err, &call):
		switch call.Reason {
		case ledger.ReasonForbidden, ledger.ReasonNotFound:
			return planner.FieldErrors{"account_id": "This token does not open account " + account + ". Look at the account ID beside the token in Harvest." + stored}
		case ledger.ReasonTimeout:
			return tooSlow()
		default:
			return planner.FieldErrors{form: causeSentence(string(call.Reason), call.Status) + " Try again in a minute." + stored}
		}
	case errors.Is(err, context.DeadlineExceeded):
		return tooSlow()
	default:
		return nil
	}
}

func tooSlow() planner.FieldErrors {
	return planner.FieldErrors{"": "Harvest did not answer within " + waitWords(connectTimeout) + ". Try again in a minute. Nothing was stored."}
}

// pinnedProblem tells that the user's plan belongs to another account, or to
// another person in it. What was sent to one must not be looked for in another.
func pinnedProblem(pinned, other ledger.Account) planner.FieldErrors {
	belongs := belongsWords(pinned)
	if pinned.AccountID != other.AccountID {
		return planner.FieldErrors{"account_id": belongs + ", so another account cannot be connected with it. Connect that one, or use a Furrow account of its own for this one."}
	}
	return planner.FieldErrors{"token": belongs + ", and this token is " + orWords(other.UserName, "somebody else") + "'s. Use a token of the same person."}
}

func belongsWords(pinned ledger.Account) string {
	return "Your plan here belongs to " + orWords(pinned.UserName, "another user") + " in " + accountWords(pinned.CompanyName, pinned.AccountID)
}

// disconnect erases the credentials. Doing it twice is no mistake.
func (h *harvestHandler) disconnect(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	connection, err := h.store.Connection(r.Context(), user.ID)
	if err != nil {
		return err
	}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error { return tx.Disconnect(r.Context(), user.ID) })
	if err != nil && !errors.Is(err, planner.ErrNotFound) {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, sentences("Furrow is disconnected from Harvest, and the token is erased.", waitingWords(connection.Unfinished)))
	return h.redirect(w, r, views.HarvestPath)
}

// waitingWords says how many writes wait for a reconnection.
func waitingWords(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 change waits here, unsent, until you connect again."
	default:
		return strconv.Itoa(n) + " changes wait here, unsent, until you connect again."
	}
}

// connectionOf tells a connection and the settings that are taken over from it.
func connectionOf(c ledger.Connection, user db.User, now time.Time) *views.Connection {
	zone, clock := user.Profile.Location(), user.Profile.Clock
	shown := &views.Connection{
		Account: orWords(c.Account.CompanyName, "Your Harvest account"), AccountID: c.Account.AccountID, AccountURL: c.Account.BaseURI,
		User: c.Account.UserName, UserEmail: c.Account.Email, TakenOver: takenOver(c.Account, user.Chosen),
		SettingsAsOf: views.MomentAt(c.AccountAt, now, zone, clock), ProjectsAsOf: views.MomentAt(c.AssignmentsAt, now, zone, clock),
		BudgetsAsOf: views.MomentAt(c.BudgetsAt, now, zone, clock),
		LastSync:    views.MomentAt(c.PulledAt, now, zone, clock), Since: views.MomentAt(c.ConnectedAt, now, zone, clock), Waiting: c.Unfinished,
	}
	switch c.State {
	case ledger.Connected:
	case ledger.NeedsReauth:
		shown.Broken = sentences(revoked, changesSafe(c.Unfinished), "Connect the same account again to go on.")
	case ledger.Disconnected:
		shown.Broken = sentences("You disconnected Furrow from Harvest.", changesSafe(c.Unfinished), "Connect the same account again to go on.")
	}
	if c.State == ledger.Connected {
		shown.Paused = pausedSentence(c.Pause, func(t time.Time) views.Moment { return views.MomentAt(t, now, zone, clock) })
	}
	if shown.Broken != "" {
		shown.Waiting = 0 // said already
	}
	return shown
}

// budgetsOf tells budgets in the user's format of hours, or as money.
func budgetsOf(c ledger.Connection, list []db.Budget, user db.User, asOf views.Moment) *views.Budgets {
	shown := &views.Budgets{AsOf: asOf, Hidden: c.BudgetsHidden}
	for i := range list {
		b := &list[i]
		figure := func(a ledger.Amount) string {
			if b.BudgetBy.InMoney() {
				m, ok := planner.ParseMoney(string(a), b.Currency)
				if !ok {
					return ""
				}
				return m.String()
			}
			hours, ok := planner.HoursOf(string(a))
			if !ok {
				return ""
			}
			return user.Profile.DurationFormat.Format(hours.Minutes())
		}
		shown.Rows = append(shown.Rows, views.BudgetRow{
			Client: b.ClientName, Project: b.ProjectName, Monthly: b.IsMonthly,
			Budget: figure(b.Budget), Spent: figure(b.Spent), Remaining: figure(b.Remaining), Over: strings.HasPrefix(string(b.Remaining), "-"),
		})
	}
	return shown
}

// takenOver tells the settings of the account in words, and which of them the
// user has overridden here.
func takenOver(a ledger.Account, chosen db.Preferences) []views.Setting {
	// Members may not read the company's settings.
	of := func(value, override string) string {
		if !a.CompanyVisible {
			value += ", assumed: Harvest shows it to administrators only"
		}
		if override != "" {
			value += " (you chose " + override + ")"
		}
		return value
	}
	weekStart, format, clock, tracking := "", "", "24 hours, 14:30", "durations"
	if chosen.WeekStart != nil && *chosen.WeekStart != a.WeekStart {
		weekStart = chosen.WeekStart.String()
	}
	if chosen.DurationFormat != "" && chosen.DurationFormat != a.DurationFormat {
		format = formatWords(chosen.DurationFormat)
	}
	if a.Clock == "12h" {
		clock = "12 hours, 2:30 pm"
	}
	if a.TimestampTimers {
		tracking = "start and end times"
	}
	zone := strings.ReplaceAll(a.TimeZone, "_", " ")
	if chosen.TimeZone != "" && chosen.TimeZone != a.TimeZone {
		zone += " (you chose " + strings.ReplaceAll(chosen.TimeZone, "_", " ") + ")"
	}
	return []views.Setting{
		{Name: "Week starts on", Value: of(a.WeekStart.String(), weekStart)},
		{Name: "Time zone", Value: zone},
		{Name: "Clock", Value: of(clock, "")},
		{Name: "Capacity", Value: a.WeeklyCapacity.Words() + " a week"},
		{Name: "Hours are shown as", Value: of(formatWords(a.DurationFormat), format)},
		{Name: "Time is tracked as", Value: of(tracking, "")},
	}
}

func formatWords(format planner.DurationFormat) string {
	if format == planner.Decimal {
		return "decimals, 1.5"
	}
	return "hours and minutes, 1:30"
}
