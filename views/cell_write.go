package views

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"furrow/planner"
)

// dayNames are the seven dates of a week as they are spoken.
type dayNames [planner.DaysInWeek]string

func namesOf(g *WeekGrid) *dayNames {
	var names dayNames
	for i := range names {
		names[i] = dayName(g.Days[i].Date)
	}
	return &names
}

// cells are the seven cells of a row. They are the one component that is
// written by hand: a page has hundreds, and as generated code they took three
// quarters of the time of the whole page, most of it for small allocations.
//
// A blank cell is nothing but its input, whose accessible name is put together
// from the row's and the day's. A cell with something in it spells everything
// out.
func cells(g *WeekGrid, r *Row, names *dayNames) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		out := markup{buf: make([]byte, 0, 2048)}
		for i := range r.Cells {
			out.cell(g, r, &r.Cells[i], i, names)
		}
		_, err := w.Write(out.buf)
		return err
	})
}

// markup is HTML in the making.
type markup struct{ buf []byte }

// raw appends markup of our own.
func (m *markup) raw(s string) { m.buf = append(m.buf, s...) }

// text appends foreign text, escaped for elements and quoted attributes.
func (m *markup) text(s string) {
	if strings.ContainsAny(s, `&<>"'`) {
		s = templ.EscapeString(s)
	}
	m.buf = append(m.buf, s...)
}

func (m *markup) number(n int) { m.buf = strconv.AppendInt(m.buf, int64(n), 10) }

// field appends the name of a cell's input, as CellField gives it.
func (m *markup) field(r *Row, i int) {
	m.raw("p.")
	m.text(r.Key)
	m.raw(".")
	m.number(i)
}

func (m *markup) cell(g *WeekGrid, r *Row, c *Cell, i int, names *dayNames) {
	day := &g.Days[i]
	if c.blank() && day.Locked == "" {
		m.raw(`<td><input name="`)
		m.field(r, i)
		m.raw(`" aria-labelledby="n-`)
		m.text(r.Key)
		m.raw(" l")
		m.number(i)
		m.raw(`"></td>`)
		return
	}
	m.raw("<td")
	if class := c.tdClass(day); class != "" {
		m.raw(` class="`)
		m.raw(class)
		m.raw(`"`)
	}
	if c.Error != "" {
		m.raw(" hx-morph-skip") // a poll must not put the stored text back
	}
	m.raw(">")
	m.input(g, r, c, i, names)
	if c.Tracked > 0 || c.Running {
		m.raw(`<span class="t`)
		if c.Running {
			m.raw(" running")
		}
		m.raw(`"><span class="sr">tracked </span>`)
		m.raw(g.Format.Format(c.Tracked.Minutes()))
		m.raw("</span>")
	}
	if !c.blank() {
		m.details(g, r, c, i)
	}
	if c.Error != "" {
		m.question(r, c, i)
	}
	m.raw("</td>")
}

func (m *markup) input(g *WeekGrid, r *Row, c *Cell, i int, names *dayNames) {
	m.raw(`<input name="`)
	m.field(r, i)
	if value := c.value(g.Format); value != "" {
		m.raw(`" value="`)
		m.text(value)
	}
	m.raw(`" aria-label="`)
	m.text(r.Client)
	m.raw(" ")
	m.text(r.Project)
	m.raw(" ")
	m.text(r.Task)
	m.raw(", ")
	m.raw(names[i])
	if c.Planned == 0 {
		m.raw(", nothing planned")
	} else {
		m.raw(", planned ")
		m.raw(c.Planned.Words())
	}
	locked := g.Days[i].Locked != "" || c.State == CellLocked
	if locked {
		m.raw(", locked")
	}
	m.raw(`"`)
	if locked {
		m.raw(" readonly")
	}
	if c.Error != "" {
		m.raw(` aria-invalid="true" aria-describedby="e-`)
		m.text(r.Key)
		m.raw("-")
		m.number(i)
		m.raw(`" data-was="`)
		m.text(c.stored(g.Format))
		m.raw(`"`)
	}
	m.raw(">")
}

// details is the link to the cell's own page. It carries the mark of the state
// and its word; what is only planned is told by its mark, and to screen readers
// by the word.
func (m *markup) details(g *WeekGrid, r *Row, c *Cell, i int) {
	m.raw(`<a class="d`)
	if c.Note != "" {
		m.raw(" n")
	}
	m.raw(`" href="`)
	m.text(CellPath(g.Week, r.Key, i))
	if title := c.title(); title != "" {
		m.raw(`" title="`)
		m.text(title)
	}
	m.raw(`">`)
	switch word := c.shown(); {
	case word == "":
		m.raw(`<span class="sr">`)
		m.raw(c.hidden())
		m.raw("</span>")
	case c.When.IsZero():
		m.raw(word)
	default:
		m.raw(word)
		m.raw(" <small>")
		m.text(c.When.Text)
		m.raw("</small>")
	}
	m.raw("</a>")
	if difference := c.difference(g.Format); difference != "" {
		m.raw(`<span class="diff">`)
		m.raw(difference)
		m.raw("</span>")
	}
}

// question is what is wrong with the typed text, and the answers to choose from.
func (m *markup) question(r *Row, c *Cell, i int) {
	m.raw(`<span class="ask" id="e-`)
	m.text(r.Key)
	m.raw("-")
	m.number(i)
	m.raw(`"><span class="error">`)
	m.text(c.Error)
	m.raw("</span>")
	for _, choice := range c.Choices {
		m.raw(`<button name="`)
		m.field(r, i)
		m.raw(`" value="`)
		m.text(choice.Value)
		m.raw(`">`)
		m.text(choice.Label)
		m.raw("</button>")
	}
	m.raw("</span>")
}
