package bench

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"furrow/db/dbtest"
)

// How much the admin pages are asked over, and what they may take.
const (
	adminMany  = 1_000_000
	adminLimit = 100 * time.Millisecond
)

// BenchmarkAdmin asks for the lists of the admin pages, with many filters, over a million writes and a million jobs.
func BenchmarkAdmin(b *testing.B) {
	p := start(b, options{rows: 1})
	began := time.Now()
	if err := dbtest.Many(p.ctx(), p.pool, adminMany, adminMany); err != nil {
		b.Fatal(err)
	}
	b.Logf("filled in %s", time.Since(began).Round(time.Second))
	p.exec("update users set role = 'admin' where id = (select user_id from sessions limit 1)")
	addresses, err := os.ReadFile("../../handlers/testdata/admin_addresses.txt")
	if err != nil {
		b.Fatal(err)
	}
	c := p.client()
	once(b, func() {
		slowest, worst := time.Duration(0), ""
		var medians []time.Duration
		for address := range strings.Lines(string(addresses)) {
			address = strings.TrimSpace(address)
			if !strings.HasPrefix(address, "/") {
				continue
			}
			var took []time.Duration
			for range 12 {
				asked := time.Now()
				if a := c.get(address); a.status != http.StatusOK {
					b.Fatalf("%s: status %d: %.300s", address, a.status, a.body)
				}
				took = append(took, time.Since(asked))
			}
			took = took[2:] // the first ones read from the disk
			slices.Sort(took)
			p50, p95 := took[len(took)/2], took[len(took)*95/100]
			medians = append(medians, p50)
			b.Logf("%7.1f ms %7.1f ms  %s", milliseconds(p50), milliseconds(p95), address)
			if p95 > slowest {
				slowest, worst = p95, address
			}
			if p95 > adminLimit {
				b.Errorf("%s takes %s", address, p95)
			}
		}
		typical := median(medians)
		b.ReportMetric(milliseconds(typical), "p50-ms")
		b.ReportMetric(milliseconds(slowest), "slowest-p95-ms")
		table.add(fmt.Sprintf("admin lists, %d addresses, a million writes and jobs, p50", len(medians)), millis(typical), "", "", "", true)
		table.add("admin lists, slowest p95", millis(slowest)+", "+worst, "", "", "< 100 ms", slowest < adminLimit)
	})
}
