package views

import (
	"furrow/ledger"
	"furrow/planner"
)

// Settle is how a cell differs from Harvest, with what can be done about it.
type Settle struct {
	Title    string // "Changed in Harvest"
	Kind     ledger.DifferenceKind
	Sentence string // more about it; may be empty
	Sides    []Side
	Answers  Answers
}

// Side is one of the values that a cell has: here, in Harvest, or as agreed
// before.
type Side struct {
	Name   string
	Amount string // empty: nothing
	Note   string
	Where  string // if it is not on the cell
	Parts  string // what Amount is made of, if that is to be told
}

// ChoiceForm is what every form about a choice comes with. Its fields are
// "version", "theirs" and "mutation_id".
type ChoiceForm struct {
	Action     string
	Version    int64  // of the plan that the page shows
	Theirs     string // names what the page shows of Harvest
	MutationID string // makes pressing a button twice harmless
}

// Answers are the buttons of a choice: the field "choice", with "line" and "to".
type Answers struct {
	ChoiceForm

	Row, Day string // of the page that steps through a week; empty on a cell's own
	Line     string // what is sent, if anything can be
	Buttons  []Answer
	MoveTo   []Option // days that the rest may move to
	Move     string   // label of the button that moves it
	Leave    string   // where to go without an answer; empty: nowhere
}

// Answer is a button of a choice.
type Answer struct {
	Value string
	Label string
}

// The answers.
const (
	AnswerTake    = "take"    // the plan becomes what Harvest has
	AnswerSend    = "send"    // Harvest is told what is planned
	AnswerMove    = "move"    // what was not tracked goes to another day
	AnswerAdopt   = "adopt"   // an entry of somebody else's becomes ours
	AnswerRestore = "restore" // an earlier plan is put back
)

// ReconcilePage steps through the cells of a week that differ from Harvest.
type ReconcilePage struct {
	Chrome         Chrome
	Week           planner.Week
	Error          string
	Sentence       string // how the exchange with Harvest stands, if there is something to say
	At             int    // which of the cells, from 1; 0: past the last one
	Item           *ReconcileItem
	Cells          []ReconcileCell
	Previous, Next string // addresses; empty at the ends
}

// ReconcileItem is the cell that is asked about.
type ReconcileItem struct {
	Client, Project, Task string
	Hue                   int
	Day                   string // "Tuesday 24 November"
	CellURL               string
	Settle                Settle
}

// ReconcileCell is a cell of the list of all that differ.
type ReconcileCell struct {
	URL                   string
	Client, Project, Task string
	Hue                   int
	Day                   string // "Tue 24 Nov"
	Words                 string
	Current               bool
}

// differing says how many cells differ.
func differing(n int) string { return counted(n, "cell differs", "cells differ") }

func (p ReconcilePage) heading() string {
	if len(p.Cells) == 0 {
		return "The plan and Harvest agree"
	}
	return differing(len(p.Cells)) + " from Harvest"
}

// class is the mark of the difference.
func (s Settle) class() string {
	switch s.Kind {
	case ledger.DiffersLess, ledger.DiffersMore:
		return "s-planned"
	case ledger.DiffersRefused:
		return "s-needs"
	default:
		return "s-changed"
	}
}

// tellsState reports whether the difference says all that the state of the cell
// says.
func (s *Settle) tellsState() bool {
	return s != nil && s.Kind != ledger.DiffersLess && s.Kind != ledger.DiffersMore
}
