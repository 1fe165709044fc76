package handlers

import (
	"net/http"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/views"
)

func (h *adminHandler) writes(w http.ResponseWriter, r *http.Request) error {
	list, err := h.writesList(r)
	if err != nil {
		return err
	}
	suggested, err := h.store.WriteSuggestions(r.Context())
	if err != nil {
		return err
	}
	page := views.AdminWritesPage{Chrome: h.chrome(r, "Writes", views.NavAdmin), Filter: writesForm(list.Query, suggested), List: list}
	return h.render(w, r, http.StatusOK, page.View())
}

// writesLive is the polled list.
func (h *adminHandler) writesLive(w http.ResponseWriter, r *http.Request) error {
	list, err := h.writesList(r)
	if err != nil {
		return err
	}
	return h.render(w, r, http.StatusOK, list.View())
}

// writesList is the list that the address asks for.
func (h *adminHandler) writesList(r *http.Request) (views.AdminWritesList, error) {
	none := views.AdminWritesList{}
	f, err := parseWritesFilter(r.URL.Query(), h.now())
	if err != nil {
		return none, err
	}
	found, err := h.store.SearchWrites(r.Context(), f.search, f.from, f.oldest, pageOfWrites)
	if err != nil {
		return none, err
	}
	all := f.search
	all.States = nil
	counts, err := h.store.CountSearch(r.Context(), all)
	if err != nil {
		return none, err
	}
	orders, err := h.store.ActionOrders(r.Context(), ordersShown)
	if err != nil {
		return none, err
	}
	list := views.AdminWritesList{
		Query: f.query, States: groupLinks(f.query, counts), CanAct: mayAct(r), Rows: make([]views.AdminWrite, len(found.Writes)),
		Short: found.Next != 0 && len(found.Writes) < pageOfWrites,
	}
	to, moving := newTeller(currentUser(r).Profile, h.now()), false
	for i := range found.Writes {
		list.Rows[i] = to.adminWrite(&found.Writes[i])
		moving = moving || moves(&found.Writes[i])
	}
	for _, o := range orders {
		if o.FinishedAt.IsZero() {
			moving = true
			list.Orders = append(list.Orders, views.CountedLink{
				Label: orderTitle(&o), URL: views.AdminOrderPath(o.ID), Count: views.Tally{N: o.Changed + o.Skipped},
			})
		}
	}
	if list.CanAct {
		list.Actions = actionLinks(f, counts)
	}
	if found.Next != 0 {
		next := f.query
		next.From = strconv.FormatInt(found.Next, 10)
		list.Next = views.AdminWritesURL(next)
	}
	if moving && f.from == 0 {
		list.Poll = views.AdminWritesLiveURL(f.query)
	}
	return list, nil
}

// adminGroups are the groups in the words of those who run the program.
func adminGroups() []writeGroup {
	groups := writeGroups()
	for i := range groups {
		if groups[i].value == views.LedgerNeedsYou {
			groups[i].label = "Needs somebody"
		}
	}
	return groups
}

// groupLinks are the choices of the filter by state, with how many match the others.
func groupLinks(q views.WriteQuery, counts map[ledger.State]db.Bounded) []views.CountedLink {
	q.From = ""
	var links []views.CountedLink
	for _, g := range adminGroups() {
		link := views.CountedLink{Label: g.label, Current: g.value == q.State}
		to := q
		to.State = g.value
		link.URL = views.AdminWritesURL(to)
		for state, n := range counts {
			if g.holds(state) {
				link.Count.N += n.N
				link.Count.More = link.Count.More || n.More
			}
		}
		links = append(links, link)
	}
	return links
}

// actionLinks lead to the previews of the actions that something matching may need.
func actionLinks(f writesFilter, counts map[ledger.State]db.Bounded) []views.CountedLink {
	var links []views.CountedLink
	for _, a := range db.WriteActions() {
		for _, state := range a.States() {
			if n := counts[state]; (n.N > 0 || n.More) && (len(f.search.States) == 0 || slices.Contains(f.search.States, state)) {
				links = append(links, views.CountedLink{Label: actionWords(a).label, URL: views.AdminPreviewURL(string(a), f.query)})
				break
			}
		}
	}
	return links
}

// writesForm is the form of the filters.
func writesForm(q views.WriteQuery, suggested db.WriteSuggestions) views.WritesFilter {
	f := views.WritesFilter{Query: q, Users: suggestions(suggested.Users), Statuses: suggestions(suggested.Statuses)}
	for _, g := range adminGroups() {
		f.States = append(f.States, views.Option{Value: g.value, Label: g.label})
	}
	for _, state := range db.AllStates() {
		if state != ledger.Uncertain { // a group of its own
			f.States = append(f.States, views.Option{Value: string(state), Label: "Only: " + stateWords(state)})
		}
	}
	choose(q.State, f.States)
	counts := map[string]int{}
	for _, s := range suggested.Reasons {
		counts[s.Value] = s.N
	}
	f.Reasons = optionsOf("Any", reasons(), func(reason string) string {
		if n := counts[reason]; n > 0 {
			return reasonWords(reason) + " (" + strconv.Itoa(n) + ")"
		}
		return reasonWords(reason)
	}, q.Reason)
	f.Ops = optionsOf("Anything", ops(), opWords, q.Op)
	f.Ages, f.Sents = optionsOf("Any time", ages(), ageWords, q.Age), optionsOf("Any time", ages(), ageWords, q.Sent)
	f.Sorts = choices(q.Sort, "Newest first", views.OldestFirst, "Oldest that is not through first")
	return f
}

// optionsOf are the values to choose from, after one that stands for any.
func optionsOf(anything string, values []string, words func(string) string, chosen string) []views.Option {
	options := []views.Option{{Label: anything}}
	for _, v := range values {
		options = append(options, views.Option{Value: v, Label: words(v)})
	}
	return choose(chosen, options)
}

func suggestions(list []db.Suggestion) []views.Option {
	options := make([]views.Option, len(list))
	for i, s := range list {
		options[i] = views.Option{Value: s.Value, Count: s.N}
	}
	return options
}

// adminWrite tells a write to those who run the program.
func (to teller) adminWrite(w *db.WriteRecord) views.AdminWrite {
	line := writeLine(*w, to.profile.DurationFormat)
	line.Note = ""
	shown := views.AdminWrite{
		ID: w.ID, Line: line, Owner: w.Email, State: w.State, StateWord: stateWords(w.State), Who: writeNeeds(w),
		Queued: to.moment(w.CreatedAt), Tries: tries(w.Attempts),
		CanRetry: w.State.Retryable() && w.Connection == ledger.Connected,
	}
	switch {
	case !w.State.Finished() && w.Connection != ledger.Connected:
		shown.Cause = "Its owner is not connected."
	case !w.State.Finished() && !w.Pause.Until.IsZero():
		shown.Cause = "Paused by an operator until " + to.moment(w.Pause.Until).Text + ": " + w.Pause.Reason
	case !w.State.Finished() && w.Held:
		shown.Cause = wentBack
	case w.State == ledger.Conflict:
		shown.Cause = "Somebody changed the entry in Harvest meanwhile."
		if goneThere(w.Attempts) {
			shown.Cause = "Somebody deleted the entry in Harvest meanwhile."
		}
	case w.State == ledger.Dropped:
		shown.Cause = w.OperatorNote
	case w.State != ledger.Done && w.State != ledger.Superseded:
		shown.Cause = causeSentence(w.Reason, w.Status)
	}
	if moves(w) && w.State != ledger.Sending && !w.Held && w.Pause.Until.IsZero() {
		if shown.Soon = to.due(w); !shown.Soon {
			shown.Next = to.moment(w.NotBefore)
		}
	}
	return shown
}

// writeNeeds is who must do something before a write goes on; nobody, if it heals
// by itself. It is empty for one that is through.
func writeNeeds(w *db.WriteRecord) views.Actor {
	switch w.State {
	case ledger.Done, ledger.Superseded, ledger.Dropped:
		return ""
	case ledger.Rejected, ledger.Conflict, ledger.Blocked:
		return views.ActorOwner
	default:
	}
	switch {
	case w.Connection != ledger.Connected:
		return views.ActorOwner
	case w.Reason == string(ledger.WaitUntrusted), w.Reason == string(ledger.ReasonUnreadable):
		return views.ActorOperator // what answers is not Harvest
	default:
		return views.ActorNobody
	}
}
