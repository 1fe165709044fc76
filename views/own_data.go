package views

// ExportPage offers everything of the reader's as a file.
type ExportPage struct {
	Chrome Chrome
}

// DeleteAccountPage names what goes with an account and what stays, and asks
// once more. Fields: password of one's own account, email of somebody else's, and
// drop if there are unsent changes.
type DeleteAccountPage struct {
	Chrome Chrome
	Own    bool
	UserID int64
	Email  string

	Cells, Changes, Templates, Recurrences, Tokens, Writes int
	Harvest                                                string // the connected account; empty for none
	Entries                                                int    // in Harvest, made by Furrow
	Unsent                                                 int    // changes that are not in Harvest
	LastAdmin                                              bool   // cannot be deleted

	Fields Fields
}

// AccountGonePage is the last page that somebody sees.
type AccountGonePage struct {
	Chrome Chrome
}

func (p DeleteAccountPage) heading() string {
	if p.Own {
		return "Delete your account"
	}
	return "Delete the account " + p.Email
}

func (p DeleteAccountPage) action() string {
	if p.Own {
		return DeleteAccountPath
	}
	return AdminDeleteUserPath(p.UserID)
}

// goes lists what is deleted.
func (p DeleteAccountPage) goes() []string {
	list := []string{
		counted(p.Cells, "planned cell", "planned cells") + ", and " + counted(p.Changes, "change", "changes") + " in the history of the plan",
		counted(p.Templates, "template", "templates") + " and " + counted(p.Recurrences, "recurring row", "recurring rows"),
		counted(p.Writes, "line", "lines") + " of the ledger, which says what was sent to Harvest",
		"settings, rates, days off, log-ins, and " + counted(p.Tokens, "API token", "API tokens"),
	}
	if p.Harvest != "" {
		list = append(list, "the connection with "+p.Harvest+": its token is erased here, and can be revoked in Harvest")
	}
	return list
}

// stays lists what is not.
func (p DeleteAccountPage) stays() []string {
	return []string{
		"All time entries in Harvest: Furrow deletes none there. It made " + grouped(p.Entries) + " of them. A timer that runs goes on.",
		"Backups: those that whoever runs this Furrow has made still hold all of it, until they are thrown away.",
		"The audit: what this account did to others and to the installation stays written down, as that of a deleted user.",
	}
}

func (p DeleteAccountPage) unsent() string {
	return counted(p.Unsent, "change has", "changes have") + " not reached Harvest. Wait until all are sent, or drop what is not: it never gets there."
}
