package handlers

import (
	"net/http"
	"slices"
	"strings"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// ratesHandler is what the hours of a user are worth, and what they want to earn.
type ratesHandler struct {
	*site
	store *db.Store
}

// notMoney is said about a sum that was not read.
const notMoney = "Write it like 95, 82.50 or 82,50, without a currency."

func (h *ratesHandler) show(w http.ResponseWriter, r *http.Request) error {
	return h.page(w, r, http.StatusOK, nil, nil)
}

// page shows rates and goal. rates and goal, if not nil, are forms that were
// refused, as they were typed.
func (h *ratesHandler) page(w http.ResponseWriter, r *http.Request, status int, rates, goal *views.Fields) error {
	user := currentUser(r)
	rows, err := h.store.Rates(r.Context(), user.ID)
	if err != nil {
		return err
	}
	stored, err := h.store.Goal(r.Context(), user.ID)
	if err != nil {
		return err
	}
	page := views.RatesPage{Chrome: h.chrome(r, "Rates and goal", views.NavSettings), Clients: rateClients(rows, rates)}
	if rates != nil {
		page.Error = "Nothing was saved yet: a rate is not right."
	}
	if stored == nil {
		stored = &planner.Goal{Every: planner.EveryMonth}
	} else {
		page.Goal.Values = map[string]string{"amount": stored.Amount.Decimal()}
	}
	currency, every := stored.Amount.Currency, string(stored.Every)
	if goal != nil {
		page.Goal, currency, every = *goal, goal.Value("currency"), goal.Value("every")
	}
	page.Currencies = choose(currency, currencyOptions(rows, stored.Amount.Currency))
	page.Every = choose(every, []views.Option{{Value: string(planner.EveryWeek), Label: "week"}, {Value: string(planner.EveryMonth), Label: "month"}})
	return h.render(w, r, status, page.View())
}

// rateField names the field of a rate; that of a whole project has no task.
func rateField(id planner.RowID) string { return "rate." + rowKey(id) }

// rateClients are the rows of rates by client and project.
func rateClients(rows []db.RateRow, typed *views.Fields) []views.RateClient {
	field := func(id planner.RowID, label string, own planner.Rate) views.RateField {
		f := views.RateField{Name: rateField(id), Label: label}
		if own.Known {
			f.Value = own.PerHour.Decimal()
		}
		if typed != nil {
			f.Value, f.Error = typed.Value(f.Name), typed.Err(f.Name)
		}
		return f
	}
	var clients []views.RateClient
	var client, project int64
	for _, r := range rows {
		if len(clients) == 0 || r.ClientID != client {
			client, project = r.ClientID, 0
			clients = append(clients, views.RateClient{Name: r.Client, Hue: hue(r.ClientID)})
		}
		c := &clients[len(clients)-1]
		if r.ID.ProjectID != project {
			project = r.ID.ProjectID
			c.Projects = append(c.Projects, views.RateProject{
				Name: r.Project, Currency: r.Currency,
				All: field(planner.RowID{ProjectID: project}, "Rate for "+r.Client+" "+r.Project+", all tasks", r.OfProject),
			})
		}
		p := &c.Projects[len(c.Projects)-1]
		p.Tasks = append(p.Tasks, views.RateTask{
			Name: r.Task, Harvest: harvestRate(r), Own: field(r.ID, "Rate for "+r.Client+" "+r.Project+" "+r.Task, r.Own),
		})
	}
	return clients
}

// harvestRate is Harvest's rate in words.
func harvestRate(r db.RateRow) string {
	switch {
	case !r.InHarvest:
		return "not in Harvest"
	case !r.Billable:
		return "not billable"
	case !r.Harvest.Known:
		return "not known"
	default:
		return r.Harvest.PerHour.String()
	}
}

// currencyOptions are the currencies of the user's clients, and the one that is
// chosen.
func currencyOptions(rows []db.RateRow, chosen string) []views.Option {
	currencies := []string{chosen}
	for _, r := range rows {
		currencies = append(currencies, r.Currency)
	}
	slices.Sort(currencies)
	currencies = slices.Compact(currencies)
	if len(currencies) > 1 && currencies[0] == "" {
		currencies = currencies[1:]
	}
	options := make([]views.Option, len(currencies))
	for i, c := range currencies {
		options[i] = views.Option{Value: c, Label: orWords(c, "none")}
	}
	return options
}

// save stores the rates of a form; empty ones follow.
func (h *ratesHandler) save(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	rates, errs := map[planner.RowID]planner.Rate{}, planner.FieldErrors{}
	var names []string
	for name := range f.Values {
		key, ok := strings.CutPrefix(name, "rate.")
		if !ok {
			continue
		}
		names = append(names, name)
		id, err := parseRowKey(key, "-")
		if err != nil {
			return err
		}
		rates[id] = planner.Rate{}
		if f.text(name) == "" {
			continue
		}
		perHour, err := planner.ReadMoney(f.text(name), "")
		if err != nil {
			errs[name] = notMoney
		}
		rates[id] = planner.Rate{PerHour: perHour, Known: true}
	}
	if len(errs) > 0 {
		typed := f.fields(errs, names...)
		return h.page(w, r, http.StatusUnprocessableEntity, &typed, nil)
	}
	if err := h.store.SetRates(r.Context(), currentUser(r).ID, rates); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "Your rates are saved.")
	return h.redirect(w, r, views.RatesPath)
}

func (h *ratesHandler) saveGoal(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	var goal *planner.Goal
	said := "You have no goal now."
	if f.text("amount") != "" {
		errs := planner.FieldErrors{}
		amount, err := planner.ReadMoney(f.text("amount"), f.Get("currency"))
		if err != nil || amount.Minor == 0 {
			errs["amount"] = notMoney
		}
		if !isCurrency(f.Get("currency")) {
			errs["currency"] = "Choose a currency from the list."
		}
		every := planner.Period(f.Get("every"))
		if every != planner.EveryWeek && every != planner.EveryMonth {
			errs["every"] = "A goal is for each week or each month."
		}
		if len(errs) > 0 {
			typed := f.fields(errs, "amount", "currency", "every")
			return h.page(w, r, http.StatusUnprocessableEntity, nil, &typed)
		}
		goal = &planner.Goal{Amount: amount, Every: every}
		said = "Your goal is " + amount.String() + " each " + string(every) + "."
	}
	if err := h.store.SetGoal(r.Context(), currentUser(r).ID, goal); err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, said)
	return h.redirect(w, r, views.RatesPath)
}

// isCurrency reports whether a text can be a currency; clients that only exist
// here have none.
func isCurrency(text string) bool {
	return text == "" || len(text) == 3 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
