package handlers

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// settingsHandler is what people set about themselves.
type settingsHandler struct {
	*site
	store  *db.Store
	logins *logins
}

func (h *settingsHandler) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, views.SettingsPage{})
}

// page shows the settings; with holds what differs from the stored state: a
// form as it was typed, or a token just made.
func (h *settingsHandler) page(w http.ResponseWriter, r *http.Request, status int, with views.SettingsPage) error {
	user := currentUser(r)
	tokens, err := h.store.APITokens(r.Context(), user.ID)
	if err != nil {
		return err
	}
	connection, err := h.store.Connection(r.Context(), user.ID)
	if err != nil && !errors.Is(err, planner.ErrNotFound) {
		return err
	}
	page := with
	page.Email, page.Fresh = user.Email, user.Session.Fresh
	page.Harvest = harvestBrief(connection)
	choice := preferencesFormOf(user.Chosen)
	if with.Profile.Bad() {
		choice = preferencesForm{with.Profile.Value("week_start"), with.Profile.Value("time_zone"), with.Profile.Value("duration_format"), with.Profile.Value("letter_keys")}
	}
	page.WeekStarts = choose(choice.weekStart, weekStartOptions())
	page.DurationFormats = choose(choice.durationFormat, durationFormatOptions())
	page.LetterKeys = choose(choice.letterKeys, letterKeysOptions())
	page.TimeZones = choose(choice.timeZone, timeZoneOptions(user.Chosen.TimeZone))
	page.Tokens = apiTokens(tokens, user.Profile, h.now())
	page.Chrome = h.chrome(r, "Settings", views.NavSettings)
	return h.render(w, r, status, page.View())
}

// harvestBrief tells a connection in one line; the zero one is none.
func harvestBrief(c ledger.Connection) views.HarvestBrief {
	brief := views.HarvestBrief{Account: c.Account.CompanyName}
	switch c.State {
	case ledger.Connected:
		brief.Connected = true
	case ledger.NeedsReauth:
		brief.Sentence = "Harvest no longer accepts the token. Connect again; what waits to be sent stays safe here."
	case ledger.Disconnected:
	}
	return brief
}

func apiTokens(tokens []db.APIToken, profile planner.Profile, now time.Time) []views.APIToken {
	zone := profile.Location()
	shown := make([]views.APIToken, len(tokens))
	for i, token := range tokens {
		shown[i] = views.APIToken{
			ID: token.ID, Name: token.Name,
			Created:  views.MomentAt(token.Created, now, zone, profile.Clock),
			LastUsed: views.MomentAt(token.LastUsed, now, zone, profile.Clock),
		}
	}
	return shown
}

// preferencesForm is the form of the profile, as it was posted.
type preferencesForm struct {
	weekStart, timeZone, durationFormat, letterKeys string
}

func preferencesFormOf(p db.Preferences) preferencesForm {
	f := preferencesForm{timeZone: p.TimeZone, durationFormat: string(p.DurationFormat), letterKeys: lettersOn}
	if p.LettersOff {
		f.letterKeys = lettersOff
	}
	if p.WeekStart != nil {
		f.weekStart = strconv.Itoa(int(*p.WeekStart))
	}
	return f
}

// parse returns what was chosen; empty choices follow Harvest.
func (f preferencesForm) parse() (db.Preferences, planner.FieldErrors) {
	errs := planner.FieldErrors{}
	chosen := db.Preferences{TimeZone: f.timeZone, LettersOff: f.letterKeys == lettersOff}
	switch f.weekStart {
	case "":
	case "0", "1", "6":
		day := time.Weekday(f.weekStart[0] - '0')
		chosen.WeekStart = &day
	default:
		errs["week_start"] = "Weeks begin on Saturday, Sunday or Monday."
	}
	if f.timeZone != "" {
		// "Local" is what the server thinks, which is nothing to the user.
		if _, err := time.LoadLocation(f.timeZone); err != nil || f.timeZone == "Local" {
			errs["time_zone"] = "There is no time zone of this name."
		}
	}
	switch format := planner.DurationFormat(f.durationFormat); format {
	case "", planner.HoursMinutes, planner.Decimal:
		chosen.DurationFormat = format
	default:
		errs["duration_format"] = "Durations are written as 1:30 or as 1.5."
	}
	return chosen, errs
}

func (h *settingsHandler) savePreferences(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	chosen, errs := preferencesForm{f.text("week_start"), f.text("time_zone"), f.text("duration_format"), f.text("letter_keys")}.parse()
	if len(errs) > 0 {
		return h.page(w, r, http.StatusUnprocessableEntity, views.SettingsPage{
			Profile: f.fields(errs, "week_start", "time_zone", "duration_format", "letter_keys"),
		})
	}
	if err := h.store.SetPreferences(r.Context(), currentUser(r).ID, chosen); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Your settings are saved.")
	return h.redirect(w, r, views.SettingsPath)
}

// changePassword ends all other sessions of the user. The current password is
// asked for, and guessing it is throttled like a login.
func (h *settingsHandler) changePassword(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	user := currentUser(r)
	again := func(status int, field, sentence string) error {
		errs := planner.FieldErrors{field: sentence}
		return h.page(w, r, status, views.SettingsPage{Password: f.fields(errs)})
	}
	current, next := f.Get("current_password"), f.Get("new_password")
	if problem := PasswordProblem(next, user.Email); problem != "" {
		return again(http.StatusUnprocessableEntity, "new_password", problem)
	}
	fits, wait, err := h.logins.own(r.Context(), user, proof{password: &current})
	switch {
	case err != nil:
		return err
	case wait > 0:
		return again(http.StatusTooManyRequests, "current_password", tooManyTries(w, wait))
	case !fits:
		return again(http.StatusUnprocessableEntity, "current_password", "This is not your current password.")
	}
	newHash, err := h.logins.passwords.hash(r.Context(), next)
	if err != nil {
		return err
	}
	if err := h.store.ChangePassword(r.Context(), user.ID, newHash); err != nil {
		return err
	}
	if err := h.sessions.login(r.Context(), user.ID); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Your password is changed. You are logged out everywhere else.")
	return h.redirect(w, r, views.SettingsPath)
}

// createToken shows the new token in its answer; it is stored nowhere, so the
// answer is a page and not a redirect.
func (h *settingsHandler) createToken(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	name := f.text("name")
	refuse := func(status int, sentence string) error {
		return h.page(w, r, status, views.SettingsPage{Token: f.fields(planner.FieldErrors{"name": sentence}, "name")})
	}
	if problem := tokenNameProblem(name); problem != "" {
		return refuse(http.StatusUnprocessableEntity, problem)
	}
	token, err := h.store.CreateAPIToken(r.Context(), currentUser(r).ID, name)
	if errors.Is(err, planner.ErrConflict) {
		return refuse(http.StatusConflict, "You have as many tokens as there can be. Revoke one that is no longer used.")
	}
	if err != nil {
		return err
	}
	return h.page(w, r, http.StatusOK, views.SettingsPage{NewToken: token.Reveal()})
}

func (h *settingsHandler) revokeToken(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	if err := h.store.RevokeAPIToken(r.Context(), currentUser(r).ID, id); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The token is revoked. Programs that use it are turned away.")
	return h.redirect(w, r, views.SettingsPath)
}
