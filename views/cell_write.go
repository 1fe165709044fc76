package views

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"furrow/planner"
)

// cellWriter writes the cells of one grid, row by row into the same buffer. It
// lives as long as one rendering.
type cellWriter struct {
	g     *WeekGrid
	names [planner.DaysInWeek]string // the dates as they are spoken
	markup
}

func newCellWriter(g *WeekGrid) *cellWriter {
	cw := &cellWriter{g: g, markup: markup{buf: make([]byte, 0, 4096)}}
	for i := range cw.names {
		cw.names[i] = dayName(g.Days[i].Date)
	}
	return cw
}

// cells are the seven cells of a row. They are the one component that is
// written by hand: a page has hundreds, and as generated code they took three
// quarters of the time of the whole page, most of it for small allocations.
//
// A blank cell is nothing but its input, whose accessible name is put together
// from the row's and the day's. A cell with something in it spells everything
// out.
func (cw *cellWriter) cells(r *Row) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		cw.buf = cw.buf[:0]
		for i := range r.Cells {
			cw.cell(r, &r.Cells[i], i)
		}
		_, err := w.Write(cw.buf)
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

func (cw *cellWriter) cell(r *Row, c *Cell, i int) {
	day := &cw.g.Days[i]
	if c.blank() && day.Locked == "" {
		cw.raw(`<td role="gridcell"><input name="`)
		cw.field(r, i)
		cw.raw(`" aria-labelledby="n-`)
		cw.text(r.Key)
		cw.raw(" b")
		cw.number(i)
		cw.raw(`">`)
		cw.timerButton(r, c, i)
		cw.raw("</td>")
		return
	}
	cw.raw(`<td role="gridcell"`)
	if class := c.tdClass(day); class != "" {
		cw.raw(` class="`)
		cw.raw(class)
		cw.raw(`"`)
	}
	if c.Error != "" {
		cw.raw(" hx-morph-skip") // a poll must not put the stored text back
	}
	cw.raw(">")
	cw.input(r, c, i)
	word := c.timerWord()
	if c.Tracked > 0 || word != "" {
		cw.raw(`<span class="t`)
		if word != "" {
			cw.raw(" running")
		}
		cw.raw(`">`)
		if c.Tracked > 0 || c.Running {
			cw.raw(`<span class="sr">tracked </span>`)
			cw.raw(cw.g.Format.Format(c.Tracked.Minutes()))
		}
		if word != "" {
			cw.raw(" ")
			cw.text(word)
		}
		cw.raw("</span>")
	}
	if !c.blank() {
		cw.details(r, c, i)
	}
	cw.timerButton(r, c, i)
	if c.Error != "" {
		cw.question(r, c, i)
	}
	cw.raw("</td>")
}

// timerButton starts or stops the timer of a cell. It belongs to a form of its
// own, because the grid is one already.
func (cw *cellWriter) timerButton(r *Row, c *Cell, i int) {
	var class, path, label string
	switch c.Timer.Can {
	case StartTimer:
		class, path, label = "start", StartTimerPath(cw.g.Week, r.Key, i), r.startLabel()
	case StopTimer:
		class, path, label = "stop", StopTimerPath(cw.g.Week, r.Key, i), r.stopLabel()
	default:
		return
	}
	cw.raw(`<button form="timers" formaction="`)
	cw.text(path)
	cw.raw(`" class="clock `)
	cw.raw(class)
	cw.raw(`" title="`)
	cw.text(label)
	cw.raw(`"><span class="sr">`)
	cw.text(label)
	cw.raw("</span></button>")
}

func (cw *cellWriter) input(r *Row, c *Cell, i int) {
	cw.raw(`<input name="`)
	cw.field(r, i)
	if value := c.value(cw.g.Format); value != "" {
		cw.raw(`" value="`)
		cw.text(value)
	}
	cw.raw(`" aria-label="`)
	cw.text(r.Client)
	cw.raw(" ")
	cw.text(r.Project)
	cw.raw(" ")
	cw.text(r.Task)
	cw.raw(", ")
	cw.raw(cw.names[i])
	if c.Planned == 0 {
		cw.raw(", nothing planned")
	} else {
		cw.raw(", planned ")
		cw.raw(c.Planned.Words())
	}
	locked := cw.g.Days[i].Locked != "" || c.State == CellLocked
	if locked {
		cw.raw(", locked")
	}
	cw.raw(`"`)
	if locked {
		cw.raw(" readonly")
	}
	if c.Error != "" {
		cw.raw(` aria-invalid="true" data-was="`)
		cw.text(c.stored(cw.g.Format))
		cw.raw(`"`)
	}
	cw.described(r, c, i)
	cw.raw(">")
}

// described names what tells more about an input: what is wrong with the typed
// text, how the cell stands with Harvest, and why the day is locked.
func (cw *cellWriter) described(r *Row, c *Cell, i int) {
	before := ` aria-describedby="`
	end := ""
	next := func() {
		cw.raw(before)
		before, end = " ", `"`
	}
	if c.Error != "" {
		next()
		cw.id("e", r, i)
	}
	if c.shown() != "" {
		next()
		cw.id("s", r, i)
	}
	if cw.g.Days[i].Locked != "" {
		next()
		cw.raw("k")
		cw.number(i)
	}
	cw.raw(end)
}

// id appends the id of a part of a cell.
func (m *markup) id(part string, r *Row, i int) {
	m.raw(part)
	m.raw("-")
	m.text(r.Key)
	m.raw("-")
	m.number(i)
}

// details is the link to the cell's own page. It carries the mark of the state
// and its word; what is only planned is told by its mark, and to screen readers
// by the word.
func (cw *cellWriter) details(r *Row, c *Cell, i int) {
	cw.raw(`<a class="d`)
	if c.Note != "" {
		cw.raw(" n")
	}
	if c.shown() != "" {
		cw.raw(`" id="`)
		cw.id("s", r, i)
	}
	cw.raw(`" href="`)
	cw.text(CellPath(cw.g.Week, r.Key, i))
	if title := c.title(); title != "" {
		cw.raw(`" title="`)
		cw.text(title)
	}
	cw.raw(`">`)
	switch word := c.shown(); {
	case word == "":
		cw.raw(`<span class="sr">`)
		cw.raw(c.hidden())
		cw.raw("</span>")
	case c.When.IsZero():
		cw.raw(word)
	default:
		cw.raw(word)
		cw.raw(" <small>")
		cw.text(c.When.Text)
		cw.raw("</small>")
	}
	if c.Why != "" && c.shown() != "" {
		cw.raw(`<span><span class="sr">: `) // not a child of the link: that makes it a mark alone
		cw.text(c.Why)
		cw.raw("</span></span>")
	}
	cw.raw("</a>")
	if difference := c.difference(cw.g.Format); difference != "" {
		cw.raw(`<span class="diff">`)
		cw.raw(difference)
		cw.raw("</span>")
	}
}

// question is what is wrong with the typed text, and the answers to choose from.
func (cw *cellWriter) question(r *Row, c *Cell, i int) {
	cw.raw(`<span class="ask" id="`)
	cw.id("e", r, i)
	cw.raw(`"><span class="error">`)
	cw.text(c.Error)
	cw.raw("</span>")
	for _, choice := range c.Choices {
		cw.raw(`<button name="`)
		cw.field(r, i)
		cw.raw(`" value="`)
		cw.text(choice.Value)
		cw.raw(`">`)
		cw.text(choice.Label)
		cw.raw("</button>")
	}
	cw.raw("</span>")
}
