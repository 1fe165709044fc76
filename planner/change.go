package planner

// ChangeKind is what a change of the plan was for.
type ChangeKind string

// The kinds of changes. Take, Adopt and Settle come from choices between the
// plan and what Harvest has.
const (
	ChangeEdit      ChangeKind = "edit"        // typed, or cleared
	ChangePaste     ChangeKind = "paste"       // several cells at once
	ChangeTake      ChangeKind = "take_theirs" // the plan became what Harvest has
	ChangeAdopt     ChangeKind = "adopt"       // the same, of an entry that became ours
	ChangeSettle    ChangeKind = "move"        // what was not tracked on another day was added
	ChangeMove      ChangeKind = "move_cell"
	ChangeCopy      ChangeKind = "copy_cell"
	ChangeSplit     ChangeKind = "split_cell"
	ChangeRemove    ChangeKind = "remove_row"
	ChangeOrder     ChangeKind = "order"
	ChangeCopyWeek  ChangeKind = "copy_week"  // filled from another week
	ChangeTemplate  ChangeKind = "template"   // filled from a template
	ChangeRecurring ChangeKind = "recurring"  // work that comes again, by itself
	ChangeCarryOver ChangeKind = "carry_over" // what the week before left unfinished
	ChangeSpread    ChangeKind = "spread"     // what past days left, over the rest of the week
	ChangeAddRow    ChangeKind = "add_row"    // put into a week
	ChangeQuick     ChangeKind = "quick_add"  // a line of quick add
	ChangeTimeOff   ChangeKind = "time_off"   // days off
	ChangeWorkAgain ChangeKind = "work_again" // working days of days off
	ChangeRestore   ChangeKind = "restore"    // a week as it once was
	ChangeUndo      ChangeKind = "undo"
	ChangeRedo      ChangeKind = "redo"
)
