package handlers

import (
	"net/http"

	"furrow/ledger/notice"
	"furrow/views"
)

// mostAlerts is how many alerts that are over the page shows.
const mostAlerts = 50

func (h *adminHandler) alerts(w http.ResponseWriter, r *http.Request) error {
	open, over, err := h.store.Alerts(r.Context(), mostAlerts)
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminAlerts, Heading: "Alerts", Intro: "What is wrong now, and what was.",
		Table: views.AdminTable{
			Columns: []views.Column{{Name: "State", Short: true}, {Name: "What"}, {Name: "What to do"}, {Name: "Since", Short: true}, {Name: "Until", Short: true}, {Name: "Where"}},
			Empty:   "Nothing is wrong, and nothing was.",
		},
	}
	if len(open) == 0 && len(over) > 0 {
		page.Intro = "Nothing is wrong now. Below is what was."
	}
	moment := h.moments(r)
	for _, a := range append(open, over...) {
		state, advice, until := views.TableCell{Text: "open", Tone: views.FlashBad}, a.Advice, "–"
		switch {
		case a.Resolved():
			state, advice, until = views.TableCell{Text: "over", Tone: views.FlashGood}, "–", moment(a.ResolvedAt).Text
		case a.Severity == notice.Information:
			state = views.TableCell{Text: "for information"}
		}
		where := views.TableCell{Text: "Look", URL: a.Path}
		if a.Path == views.AdminAlertsPath {
			where = views.TableCell{Text: "–"} // nowhere but here
		}
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			state, {Text: a.Sentence}, {Text: advice}, {Text: moment(a.OpenedAt).Text}, {Text: until}, where,
		})
	}
	return h.table(w, r, page)
}
