package views

// keyHelp is what some keys do.
type keyHelp struct {
	Keys []string
	Does string
}

// keyGroup are keys that belong together.
type keyGroup struct {
	Title string
	Keys  []keyHelp
}

// keyGroups are all keys, as the scripts have them.
func keyGroups() []keyGroup {
	return []keyGroup{
		{"In the grid", []keyHelp{
			{[]string{"Tab"}, "into the grid, and out of it"},
			{[]string{"←", "→", "↑", "↓"}, "to the next cell; at the edges into the heads of rows and days"},
			{[]string{"Home", "End"}, "first or last day; with Ctrl first or last cell"},
			{[]string{"0–9"}, "type over the cell"},
			{[]string{"Enter", "F2"}, "edit what is there"},
			{[]string{"Shift+F2"}, "note and everything else about the cell"},
			{[]string{"Delete"}, "clear"},
			{[]string{"Shift+arrows", "Ctrl+A"}, "select"},
			{[]string{"Ctrl+C", "Ctrl+X", "Ctrl+V"}, "copy, cut, paste; blocks of a spreadsheet too"},
			{[]string{"Ctrl+D"}, "fill down, or one row to the right"},
		}},
		{"Moving what is planned", []keyHelp{
			{[]string{"Alt+←", "Alt+→"}, "move the cell by a day; with Shift copy it"},
			{[]string{"Alt+S"}, "split the cell, or move it to any day"},
			{[]string{"Alt+↑", "Alt+↓"}, "at the name of a row: move the row; with Shift its client"},
			{[]string{"Delete"}, "at the name of a row: remove it from the week"},
		}},
		{"While editing", []keyHelp{
			{[]string{"Enter"}, "keep, and go down; with Shift up"},
			{[]string{"Tab"}, "keep, and go right; with Shift left"},
			{[]string{"Esc"}, "take back what was typed"},
		}},
		{"Anywhere in the week", []keyHelp{
			{[]string{"Ctrl+Z", "Ctrl+Y"}, "undo, redo"},
			{[]string{"Ctrl+K"}, "palette: go anywhere, do anything"},
		}},
	}
}

// letterGroup are the single letters, which can be switched off.
func letterGroup() keyGroup {
	return keyGroup{"Single letters", []keyHelp{
		{[]string{"n"}, "note of the cell"},
		{[]string{"s"}, "start or stop the timer of the cell"},
		{[]string{"a"}, "add a row"},
		{[]string{"u"}, "undo"},
		{[]string{"p"}, "review and push"},
		{[]string{"t"}, "this week"},
		{[]string{"[", "]"}, "previous, next week"},
		{[]string{"q", "/"}, "quick add"},
		{[]string{"?"}, "these keys"},
	}}
}
