package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"furrow/db"
	"furrow/ledger"
	"furrow/planner"
	"furrow/views"
)

// userFilterOf reads the filters of the address.
func userFilterOf(query url.Values) (f db.UserFilter, err error) {
	f = db.UserFilter{Role: db.Role(query.Get("role")), Connection: ledger.ConnectionState(query.Get("connection")), Most: pageOfWrites + 1}
	if f.Role != "" && !slices.Contains(db.Roles(), f.Role) {
		return f, fmt.Errorf("users with role %q: %w", f.Role, planner.ErrNotFound)
	}
	if f.Connection != "" && f.Connection != db.NoConnection && connectionWord(f.Connection) == connectionWord("") {
		return f, fmt.Errorf("users with a connection in state %q: %w", f.Connection, planner.ErrNotFound)
	}
	if f.After, err = filterID("after", query.Get("after")); err != nil {
		return f, err
	}
	f.Search, err = filterText(query, "q")
	return f, err
}

func (h *adminHandler) users(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	f, err := userFilterOf(query)
	if err != nil {
		return err
	}
	list, err := h.store.Users(r.Context(), f)
	if err != nil {
		return err
	}
	n, err := h.store.CountUsers(r.Context())
	if err != nil {
		return err
	}
	page := views.AdminTablePage{
		Tab: views.AdminUsers, Heading: "Users",
		Filter: &views.AdminFilter{Path: views.AdminUsersPath, Filtered: f.Search+string(f.Role)+string(f.Connection) != "", Fields: []views.AdminField{
			{Name: "q", Label: "Search", Type: "search", Value: f.Search, Most: mostSearched, Hint: "Email"},
			{Name: "role", Label: "Role", Options: choices(string(f.Role), "All", string(db.RoleUser), "User", string(db.RoleViewer), "Viewer", string(db.RoleOperator), "Operator", string(db.RoleAdmin), "Admin")},
			{Name: "connection", Label: "Harvest", Options: choices(string(f.Connection), "All", string(ledger.Connected), "Connected",
				string(ledger.NeedsReauth), "Must connect again", string(ledger.Disconnected), "Disconnected", string(db.NoConnection), "Never connected")},
		}},
		Table: views.AdminTable{
			Summary: fmt.Sprintf("%s, %s, %s, %s.", counted(n[db.RoleUser], "user", "users"), counted(n[db.RoleViewer], "viewer", "viewers"), counted(n[db.RoleOperator], "operator", "operators"), counted(n[db.RoleAdmin], "admin", "admins")),
			Columns: []views.Column{{Name: "Email"}, {Name: "Role"}, {Name: "Since", Short: true}, {Name: "Logged in on", Numbers: true}, {Name: "Last seen", Short: true}, {Name: "Harvest", Short: true}, {Name: "Company"}},
			Empty:   "Nobody matches.",
		},
	}
	if currentUser(r).Role.May(db.RoleAdmin) {
		page.Links = []views.AdminLink{{URL: views.InvitePath, Label: "Invite somebody"}}
	}
	if len(list) > pageOfWrites {
		list = list[:pageOfWrites]
		query.Set("after", strconv.FormatInt(list[pageOfWrites-1].ID, 10))
		page.Table.Older = views.AdminUsersPath + "?" + query.Encode()
	}
	moment := h.moments(r)
	for i := range list {
		u := &list[i]
		page.Table.Rows = append(page.Table.Rows, []views.TableCell{
			{Text: u.Email, URL: views.AdminUserPath(u.ID)}, {Text: string(u.Role)}, {Text: moment(u.Created).Text},
			{Text: strconv.Itoa(u.Sessions)}, {Text: moment(u.Seen).Text}, userConnection(u), {Text: u.CompanyName},
		})
	}
	return h.table(w, r, page)
}

// userConnection tells how somebody stands with Harvest.
func userConnection(u *db.UserSummary) views.TableCell {
	cell := views.TableCell{Text: connectionWord(u.ConnectionState)}
	if u.ConnectionID != 0 {
		cell.URL = views.AdminConnPath(u.ConnectionID)
	}
	switch {
	case u.Paused:
		cell.Text, cell.Tone = "paused", views.FlashNote
	case u.ConnectionState == ledger.Connected:
		cell.Tone = views.FlashGood
	case u.ConnectionState == ledger.NeedsReauth:
		cell.Tone = views.FlashBad
	}
	return cell
}

func userSubject(id int64) string { return "user " + strconv.FormatInt(id, 10) }

// user is one user as admins see them.
func (h *adminHandler) user(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	u, err := h.store.UserSummary(r.Context(), id)
	if err != nil {
		return err
	}
	writes, err := h.store.CountWrites(r.Context(), db.WriteFilter{UserID: id})
	if err != nil {
		return err
	}
	moment := h.moments(r)
	page := views.AdminThingPage{
		Tab: views.AdminUsers, Back: views.AdminLink{URL: views.AdminUsersPath, Label: "Users"}, Heading: u.Email,
		Stand: views.TableCell{Text: string(u.Role)},
		Facts: []views.AdminFact{
			{Name: "Since", Value: views.TableCell{Text: moment(u.Created).Text}},
			{Name: "Logged in on", Value: views.TableCell{Text: counted(u.Sessions, "device", "devices")}},
			{Name: "Last seen", Value: views.TableCell{Text: orWords(moment(u.Seen).Text, "not logged in")}},
			{Name: "Harvest", Value: userConnection(&u)},
			{Name: "Company", Value: views.TableCell{Text: orWords(u.CompanyName, "not known")}},
			{Name: "Writes on their way", Value: views.TableCell{Text: strconv.Itoa(writes.Moving)}},
			{Name: "Writes that need them", Value: views.TableCell{Text: strconv.Itoa(writes.ByState[ledger.Rejected] + writes.ByState[ledger.Conflict] + writes.ByState[ledger.Blocked])}},
		},
		Links: []views.AdminLink{
			{URL: views.AdminWritesPath + "?user=" + url.QueryEscape(u.Email), Label: "Their writes"},
			{URL: views.AdminAuditURL(u.Email, ""), Label: "What they did"},
			{URL: views.AdminAuditURL("", userSubject(id)), Label: "What was done to them"},
		},
	}
	if reader := currentUser(r); reader.Role.May(db.RoleAdmin) && reader.ID != id {
		page.Forms = []views.AdminForm{roleForm(&u), {
			ID: "reset", Action: views.AdminResetLinkPath(id), Title: "Password", Button: "Make a link for a new password",
			Help: "For somebody who cannot log in any more. Their password stays until they have chosen another one.",
		}}
		page.Links = append(page.Links, views.AdminLink{URL: views.AdminDeleteUserPath(id), Label: "Delete the account"})
	}
	return h.thing(w, r, http.StatusOK, page)
}

func roleForm(u *db.UserSummary) views.AdminForm {
	options := []views.Option{
		{Value: string(db.RoleUser), Label: "User: their own work"}, {Value: string(db.RoleViewer), Label: "Viewer: sees these pages"},
		{Value: string(db.RoleOperator), Label: "Operator: acts on writes, jobs, connections and queues"}, {Value: string(db.RoleAdmin), Label: "Admin: acts on users, too"},
	}
	return views.AdminForm{
		ID: "role", Action: views.AdminUserPath(u.ID) + "/role", Title: "Role", Button: "Change the role",
		Help: "They are logged out everywhere, so that the new role counts at once.", Fields: []views.AdminField{{Name: "role", Label: "May do", Options: choose(string(u.Role), options)}},
	}
}

// changeRole gives somebody else another role.
func (h *adminHandler) changeRole(w http.ResponseWriter, r *http.Request) error {
	id, f, err := idForm(r)
	if err != nil {
		return err
	}
	role, actor := db.Role(f.Get("role")), currentUser(r).ID
	if !slices.Contains(db.Roles(), role) {
		return fmt.Errorf("role %q: %w", role, planner.ErrNotFound)
	}
	err = h.store.InTx(r.Context(), func(tx *db.Tx) error {
		before, err := tx.ChangeRole(r.Context(), actor, id, role)
		if err != nil {
			return err
		}
		return tx.Audit(r.Context(), actor, "users.role", userSubject(id), map[string]any{"before": before, "after": role})
	})
	if errors.Is(err, planner.ErrConflict) {
		return say(err, "Nobody changes their own role: another admin does, so that there always is one. Nothing was done.")
	}
	if err != nil {
		return err
	}
	h.sessions.flash(r.Context(), views.FlashGood, "The role is changed. They were logged out everywhere.")
	return h.redirect(w, r, views.AdminUserPath(id))
}
