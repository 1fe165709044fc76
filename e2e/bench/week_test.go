package bench

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// BenchmarkWeekPage asks for a week of sixty rows over HTTP, beside a bare handler that sends as many bytes.
func BenchmarkWeekPage(b *testing.B) {
	p := start(b, options{rows: 60})
	f := newFloors(p)
	floorAddress := f.serve()
	path := "/weeks/" + p.week.String()
	ours := p.client()
	page := ours.get(path)
	if page.status != http.StatusOK {
		b.Fatalf("status %d: %s", page.status, page.body)
	}
	size := len(page.body)
	f.fit(newClient(b, floorAddress, p.cookie), size)
	ask := func(c *client) {
		if a := c.get(path); a.status != http.StatusOK {
			panic(fmt.Sprintf("status %d", a.status))
		}
	}
	askFloor := func(c *client) {
		if a := c.get("/page"); a.status != http.StatusOK {
			panic(fmt.Sprintf("status %d", a.status))
		}
	}
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			clients, floorClients := p.clients(n, p.address), p.clients(n, floorAddress)
			load(clients, 300*time.Millisecond, ask) // connections and prepared statements
			load(floorClients, 300*time.Millisecond, askFloor)
			once(b, func() {
				c := compare(7, func() sample { return load(clients, 400*time.Millisecond, ask) },
					func() sample { return load(floorClients, 400*time.Millisecond, askFloor) })
				b.ReportMetric(c.speed, "ratio")
				b.ReportMetric(c.ours.perSecond, "req/s")
				b.ReportMetric(c.floor.perSecond, "floor-req/s")
				b.ReportMetric(milliseconds(c.ours.p50), "p50-ms")
				b.ReportMetric(milliseconds(c.floor.p50), "floor-p50-ms")
				table.add(fmt.Sprintf("week page of %s, %d clients", kilobytes(size), n), rate(c.ours.perSecond)+", p50 "+millis(c.ours.p50),
					rate(c.floor.perSecond)+", p50 "+millis(c.floor.p50), ratioOf(c.speed), ">= 0.70", c.speed >= 0.7)
			})
		})
	}
	b.Run("gzip", func(b *testing.B) {
		clients, floorClients := p.clients(1, p.address), p.clients(1, floorAddress)
		clients[0].extra = "Accept-Encoding: gzip\r\n"
		once(b, func() {
			c := compare(5, func() sample { return load(clients, 300*time.Millisecond, ask) },
				func() sample { return load(floorClients, 300*time.Millisecond, askFloor) })
			b.ReportMetric(c.speed, "ratio")
			b.ReportMetric(c.ours.perSecond, "req/s")
			table.add("week page as gzip, floor plain, 1 client", rate(c.ours.perSecond)+", p50 "+millis(c.ours.p50),
				rate(c.floor.perSecond)+", p50 "+millis(c.floor.p50), ratioOf(c.speed), "", true)
		})
	})
	b.Run("trips", func(b *testing.B) {
		once(b, func() {
			trips := p.tripsOf(ours, path)
			b.ReportMetric(float64(trips), "trips")
			table.add("database round trips of a week page", strconv.FormatInt(trips, 10), "2", "", "2", trips == 2)
		})
	})
}

func (p *program) clients(n int, address string) []*client {
	p.tb.Helper()
	all := make([]*client, n)
	for i := range all {
		all[i] = newClient(p.tb, address, p.cookie)
	}
	return all
}

// tripsOf counts the round trips of one request, when the connection knows its statements.
func (p *program) tripsOf(c *client, path string) int64 {
	p.tb.Helper()
	for range 3 {
		if a := c.get(path); a.status != http.StatusOK {
			p.tb.Fatalf("status %d: %s", a.status, a.body)
		}
	}
	before := p.trips.Load()
	c.get(path)
	return p.trips.Load() - before
}

// TestWeekPageRoundTrips: one for the session and its user, one for the week, however many rows it has.
func TestWeekPageRoundTrips(t *testing.T) {
	for _, rows := range []int{20, 60} {
		p := start(t, options{rows: rows})
		if trips := p.tripsOf(p.client(), "/weeks/"+p.week.String()); trips != 2 {
			t.Errorf("a week of %d rows takes %d round trips to the database, want 2", rows, trips)
		}
	}
}
