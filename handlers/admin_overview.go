package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"furrow/db"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
	"furrow/planner"
	"furrow/views"
)

// overview is how everything stands, for somebody who has one look.
func (h *adminHandler) overview(w http.ResponseWriter, r *http.Request) error {
	chosen, err := chartSpanOf(r.URL.Query().Get("span"))
	if err != nil {
		return err
	}
	page := views.AdminOverviewPage{Chrome: h.chrome(r, "Administration", views.NavAdmin)}
	if page.Live, err = h.overviewOf(r); err != nil {
		return err
	}
	for _, s := range chartSpans() {
		page.Spans = append(page.Spans, views.Option{Value: s.value, Label: s.label, Selected: s.value == chosen.value})
	}
	first := chosen.first(h.now())
	samples, err := h.store.Samples(r.Context(), first)
	if err != nil {
		return err
	}
	if len(samples) > 0 {
		page.Charts = chartsOf(samples, chosen, first, h.moments(r))
	}
	return h.render(w, r, http.StatusOK, page.View())
}

// standing is everything that the overview tells.
type standing struct {
	oldest      time.Duration // that a write has waited which could have been sent
	oldestOf    int64         // the connection
	writes      map[ledger.State]int
	connections db.ConnectionCounts
	gates       db.GateSummary
	queues      []jobs.QueueStatus
	pauses      map[string]db.QueuePause
	schedules   []db.Schedule
	processes   []notice.Process
	alerts      []notice.Alert // that are open
	schema      int64
}

func (h *adminHandler) standing(r *http.Request) (s standing, err error) {
	ctx := r.Context()
	if s.oldest, s.oldestOf, err = h.store.OldestUnsent(ctx); err != nil {
		return s, err
	}
	figures, err := h.store.WriteFigures(ctx)
	if err != nil {
		return s, err
	}
	s.writes = map[ledger.State]int{}
	for _, f := range figures {
		s.writes[f.State] = f.Count
	}
	if s.connections, err = h.store.CountConnections(ctx); err != nil {
		return s, err
	}
	if s.gates, err = h.store.GateSummary(ctx); err != nil {
		return s, err
	}
	if s.queues, s.pauses, err = h.queueStatuses(r); err != nil {
		return s, err
	}
	if s.schedules, err = h.store.Schedules(ctx); err != nil {
		return s, err
	}
	if s.processes, err = h.store.Processes(ctx); err != nil {
		return s, err
	}
	if s.alerts, _, err = h.store.Alerts(ctx, 0); err != nil {
		return s, err
	}
	s.schema, err = h.store.SchemaVersion(ctx)
	return s, err
}

func (h *adminHandler) overviewOf(r *http.Request) (views.AdminOverview, error) {
	s, err := h.standing(r)
	if err != nil {
		return views.AdminOverview{}, err
	}
	now := h.now()
	shown := views.AdminOverview{Problems: s.problems(now), Facts: s.facts(now)}
	shown.Facts = append(shown.Facts, views.AdminFact{Name: "Program", Value: views.TableCell{Text: orWords(h.version, "unknown"), Note: "schema " + strconv.FormatInt(s.schema, 10)}})
	if s.moves() {
		shown.Poll = views.AdminLiveURL(views.AdminHome, nil)
	}
	return shown, nil
}

// waiting counts the writes that a worker brings on.
func (s *standing) waiting() int {
	return s.writes[ledger.Pending] + s.writes[ledger.Retry] + s.writes[ledger.Sending] + s.writes[ledger.Uncertain]
}

// moves reports whether something is under way, or waits for its turn.
func (s *standing) moves() bool {
	return s.oldest > 0 || slices.ContainsFunc(s.queues, func(q jobs.QueueStatus) bool { return !q.Paused && q.Running+q.Due > 0 })
}

// swept is when a worker last looked for work; zero if none ever did.
func (s *standing) swept() time.Time {
	for i := range s.schedules {
		if s.schedules[i].Name == jobs.ScheduleSweep {
			return s.schedules[i].Ended
		}
	}
	return time.Time{}
}

// noWorker is for how long nobody looks for work before that means that no
// worker runs.
const noWorker = 2 * time.Minute

// problems are what is not as it should be, the worst first: what an operator
// must act on, then what is known or heals by itself.
func (s *standing) problems(now time.Time) []views.AdminProblem {
	var list []views.AdminProblem
	add := func(tone views.FlashKind, url, link, format string, args ...any) {
		list = append(list, views.AdminProblem{Tone: tone, Text: fmt.Sprintf(format, args...), URL: url, Link: link})
	}
	swept := s.swept()
	switch {
	case swept.IsZero():
		add(views.FlashBad, views.AdminSchedulesPath, "Schedules", "No worker has run yet, so nothing is sent or read.")
	case now.Sub(swept) > noWorker:
		add(views.FlashBad, views.AdminSchedulesPath, "Schedules", "No worker has looked for work for %s, so nothing is sent or read.", span(now.Sub(swept)))
	}
	switch alarms := s.alarms(); len(alarms) {
	case 0:
	case 1:
		add(views.FlashBad, views.AdminAlertsPath, "Alerts", "An alert is open: %s", alarms[0].Sentence)
	default:
		add(views.FlashBad, views.AdminAlertsPath, "Alerts", "%d alerts are open.", len(alarms))
	}
	outage := s.gates.Provider != db.BreakerClosed
	switch {
	case s.gates.Forced:
		add(views.FlashNote, views.AdminLimitsPath, "Limits", "An operator holds calls to Harvest back. Writes wait, and nothing is lost.")
	case outage:
		add(views.FlashNote, views.AdminLimitsPath, "Limits", "Harvest keeps failing, so it is asked only now and then. Writes wait, and nothing is lost.")
	}
	if s.oldest > overdue {
		tone := views.FlashBad
		if outage || s.gates.Forced {
			tone = views.FlashNote
		}
		add(tone, views.AdminConnPath(s.oldestOf), "Connection "+strconv.FormatInt(s.oldestOf, 10), "A write has waited for %s to be sent.", span(s.oldest))
	}
	for i := range s.queues {
		q := &s.queues[i]
		switch pause := s.pauses[q.Queue]; {
		case q.Paused:
			add(views.FlashNote, views.AdminQueuePath(q.Queue), "Queue "+q.Queue, "A queue is paused%s.", because(pause.Reason))
		case q.Oldest > slowQueue:
			add(views.FlashBad, views.AdminQueuePath(q.Queue), "Queue "+q.Queue, "A job has been due for %s, and no worker has taken it.", span(q.Oldest))
		}
	}
	for i := range s.schedules {
		c := &s.schedules[i]
		if c.Failures > 1 {
			add(views.FlashBad, views.AdminSchedulesPath, "Schedules", "%s: it has failed %d times in a row.", scheduleWords(c.Name), c.Failures)
		}
	}
	if n := s.connections.NeedsReauth; n > 0 {
		add(views.FlashNote, views.AdminConnsPath+"?state="+string(ledger.NeedsReauth), "Connections", "Their users must connect again: %s. They are told so.", counted(n, "connection", "connections"))
	}
	if n := s.connections.Paused; n > 0 {
		add(views.FlashNote, views.AdminConnsPath+"?state="+onlyPaused, "Connections", "An operator has paused %s.", counted(n, "connection", "connections"))
	}
	if n := s.connections.Held; n > 0 {
		add(views.FlashNote, views.AdminConnsPath+"?state="+onlyHeld, "Connections", "Nothing is sent for %s before a sync, because the database was put back to an earlier state.", counted(n, "connection", "connections"))
	}
	if s.gates.Broken > 0 && !outage {
		add(views.FlashNote, views.AdminLimitsPath, "Limits", "Calls keep failing, and are held back, for %s.", counted(s.gates.Broken, "connection", "connections"))
	}
	slices.SortStableFunc(list, func(a, b views.AdminProblem) int { return cmp.Compare(a.Tone, b.Tone) }) // "bad" before "note"
	return list
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": “" + reason + "”"
}

// facts are the figures behind the sentences.
func (s *standing) facts(now time.Time) []views.AdminFact {
	oldest := views.TableCell{Text: "none", Tone: views.FlashGood}
	if s.oldest > 0 {
		oldest = views.TableCell{Text: span(s.oldest), URL: views.AdminConnPath(s.oldestOf), Note: "of connection " + strconv.FormatInt(s.oldestOf, 10)}
		if s.oldest > overdue {
			oldest.Tone = views.FlashBad
		}
	}
	c := &s.connections
	var running, due int
	var lag time.Duration
	for i := range s.queues {
		running, due, lag = running+s.queues[i].Running, due+s.queues[i].Due, max(lag, s.queues[i].Oldest)
	}
	breaker := views.TableCell{Text: "closed", Tone: views.FlashGood, URL: views.AdminLimitsPath}
	if s.gates.Provider != db.BreakerClosed {
		breaker.Text, breaker.Tone = "open", views.FlashBad
	}
	if s.gates.Broken+s.gates.Asked > 0 {
		breaker.Note = fmt.Sprintf("%d open for connections, %d pauses that Harvest asked for", s.gates.Broken, s.gates.Asked)
	}
	return []views.AdminFact{
		{Name: "Oldest unsent write", Value: oldest},
		{Name: "Waiting to be sent", Value: views.TableCell{
			Text: strconv.Itoa(s.waiting()), URL: views.AdminWritesPath + "?state=" + views.LedgerWaiting, Note: strconv.Itoa(s.writes[ledger.Uncertain]) + " of them uncertain",
		}},
		{Name: "Waiting for their users", Value: views.TableCell{
			Text: strconv.Itoa(s.writes[ledger.Blocked] + s.writes[ledger.Rejected] + s.writes[ledger.Conflict]), URL: views.AdminWritesPath + "?state=" + views.LedgerNeedsYou,
			Note: fmt.Sprintf("%d refused, %d changed in Harvest, %d not connected", s.writes[ledger.Rejected], s.writes[ledger.Conflict], s.writes[ledger.Blocked]),
		}},
		{Name: "Connections", Value: views.TableCell{
			Text: strconv.Itoa(c.Connected), URL: views.AdminConnsPath, Note: fmt.Sprintf("%d must connect again, %d disconnected, %d paused", c.NeedsReauth, c.Disconnected, c.Paused),
		}},
		{Name: "Breaker of Harvest", Value: breaker},
		{Name: "Longest wait of a job", Value: views.TableCell{Text: span(lag), URL: views.AdminQueuesPath, Note: fmt.Sprintf("%d running, %d due", running, due)}},
		{Name: "Workers", Value: s.workers(now)},
		{Name: "Open alerts", Value: s.openAlerts()},
		{Name: "Disk", Value: s.disk(now)},
	}
}

// alarms are the open alerts that are worth waking for.
func (s *standing) alarms() []notice.Alert {
	return slices.DeleteFunc(slices.Clone(s.alerts), func(a notice.Alert) bool { return a.Severity != notice.Alarm })
}

// openAlerts tells how many alerts are open, and of these how many are worth
// waking for.
func (s *standing) openAlerts() views.TableCell {
	worth := len(s.alarms())
	cell := views.TableCell{Text: strconv.Itoa(len(s.alerts)), URL: views.AdminAlertsPath}
	if worth > 0 {
		cell.Tone = views.FlashBad
	}
	if len(s.alerts) > worth {
		cell.Note = strconv.Itoa(len(s.alerts)-worth) + " for information"
	}
	return cell
}

// disk tells the fullest disk of all processes.
func (s *standing) disk(now time.Time) views.TableCell {
	cell, least := views.TableCell{Text: "not known"}, 2.
	for i := range s.processes {
		p := &s.processes[i]
		if now.Sub(p.SeenAt) > noWorker {
			continue
		}
		for _, d := range p.Finding.Disks {
			share := float64(d.Free) / float64(max(d.Total, 1))
			if share >= least {
				continue
			}
			least = share
			cell = views.TableCell{Text: strconv.Itoa(int(share*100)) + " % free", Note: fmt.Sprintf("%.1f GiB, %s on %s", float64(d.Free)/(1<<30), d.Path, p.Host)}
			if d.Low {
				cell.Tone = views.FlashBad
			}
		}
	}
	return cell
}

// workers tells how many processes work, by what they last said of themselves,
// and when one last looked for work.
func (s *standing) workers(now time.Time) views.TableCell {
	swept := s.swept()
	if swept.IsZero() || now.Sub(swept) > noWorker {
		return views.TableCell{Text: "none", Tone: views.FlashBad, URL: views.AdminSchedulesPath}
	}
	var working, pages int
	for i := range s.processes {
		switch p := &s.processes[i]; {
		case now.Sub(p.SeenAt) > noWorker: // ended
		case p.Works:
			working++
		default:
			pages++
		}
	}
	cell := views.TableCell{Text: "at work", Tone: views.FlashGood, URL: views.AdminSchedulesPath, Note: "looked for work " + ageOf(swept, now)}
	if working > 0 {
		cell.Text = counted(working, "process", "processes")
		cell.Note += ", " + strconv.Itoa(pages) + " more for pages alone"
	}
	return cell
}

// chartSpan is how far back the charts go, in points of so long each.
type chartSpan struct {
	value, label string
	point        time.Duration
	points       int
	each         string // "per 5 minutes"
}

func chartSpans() []chartSpan {
	return []chartSpan{
		{"1h", "1 hour", db.SampleEvery, 12, "per 5 minutes"},
		{"", "24 hours", time.Hour, 24, "per hour"},
		{"7d", "7 days", 6 * time.Hour, 28, "per 6 hours"},
	}
}

func chartSpanOf(value string) (chartSpan, error) {
	for _, s := range chartSpans() {
		if s.value == value {
			return s, nil
		}
	}
	return chartSpan{}, fmt.Errorf("charts of %q: %w", value, planner.ErrNotFound)
}

// first is when the first point begins; now lies in the last one.
func (s chartSpan) first(now time.Time) time.Time {
	return now.Truncate(s.point).Add(-time.Duration(s.points-1) * s.point)
}

// chartsOf are the charts of samples from first on.
func chartsOf(samples []db.Sample, of chartSpan, first time.Time, moment func(time.Time) views.Moment) []views.Chart {
	labels := make([]string, of.points)
	for i := range labels {
		labels[i] = moment(first.Add(time.Duration(i) * of.point)).Text
	}
	attempts, p95, oldest := make([]float64, of.points), make([]float64, of.points), make([]float64, of.points)
	classes := []ledger.OutcomeKind{ledger.OutcomeKind(ledger.NotSent), ledger.OutcomeKind(ledger.Unknown), ledger.OutcomeKind(ledger.Refused), ledger.OutcomeRevoked}
	errors := make([][]float64, len(classes))
	for i := range errors {
		errors[i] = make([]float64, of.points)
	}
	for i := range samples {
		s := &samples[i]
		at := int(s.At.Sub(first) / of.point)
		if s.At.Before(first) || at >= of.points {
			continue
		}
		attempts[at] += float64(s.Attempts)
		p95[at] = max(p95[at], float64(s.P95.Milliseconds()))
		oldest[at] = max(oldest[at], s.Oldest.Seconds())
		for n, class := range classes {
			errors[n][at] += float64(s.Errors[class])
		}
	}
	whole := func(v float64) string { return strconv.Itoa(int(v)) }
	return []views.Chart{
		chartOf("attempts", "Attempts "+of.each, labels, whole, series{"Attempts", attempts}),
		chartOf("p95", "95 of 100 attempts took", labels, func(v float64) string { return tookWords(time.Duration(v) * time.Millisecond) }, series{"p95", p95}),
		chartOf("errors", "What went wrong "+of.each, labels, whole, series{"Not reached", errors[0]}, series{"In doubt", errors[1]}, series{"Refused", errors[2]}, series{"Access revoked", errors[3]}),
		chartOf("oldest", "Longest wait of a write to be sent", labels, func(v float64) string { return span(time.Duration(v) * time.Second) }, series{"Longest wait", oldest}),
	}
}

// series is a row of numbers of a chart.
type series struct {
	name   string
	values []float64
}

// chartOf is a chart of stacked series, with the greatest point said in words.
func chartOf(id, title string, labels []string, tell func(float64) string, rows ...series) views.Chart {
	c := views.Chart{ID: id, Title: title, Labels: labels}
	top, at := 0.0, 0
	for i := range labels {
		sum := 0.0
		for _, row := range rows {
			sum += row.values[i]
		}
		if sum > top {
			top, at = sum, i
		}
	}
	for _, row := range rows {
		texts := make([]string, len(labels))
		for i, v := range row.values {
			texts[i] = tell(v)
		}
		c.Series = append(c.Series, views.ChartSeries{Name: row.name, Values: row.values, Texts: texts})
	}
	c.Most = "none"
	if top > 0 {
		c.Most = "at most " + tell(top)
	}
	c.Summary = title + " from " + labels[0] + " to " + labels[len(labels)-1] + ": " + c.Most
	if top > 0 {
		c.Summary += ", at " + labels[at]
	}
	return c
}
