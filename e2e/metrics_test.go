package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"furrow/harvest/sandbox/sandboxtest"
)

// metricsOf reads what a program measures, by the text of each series.
func metricsOf(t *testing.T, address string) (map[string]float64, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", response.StatusCode, err)
	}
	series := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := cutLast(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			if series[name], err = strconv.ParseFloat(value, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return series, string(text)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// The figures of an operator: what was done is counted, what waits is told, and nothing of what users have is in them.
// And from the id of a click one finds the call that came of it in the log.
func TestMetrics(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "demo")
	address := freeAddress(t)
	program := startProgram(t, "--harvest-url", sandbox.URL, "--harvest-id-url", sandbox.URL, "--metrics-listen", address)
	ida := newPerson(t, program)
	ida.setUp()
	ida.plan(today(t), freeRows()[:2], "1", "2")
	ida.push()
	const sent = `furrow_write_attempts_total{action="send",outcome="applied",reason=""}`
	waitFor(t, patience, "both writes to be counted", func() error {
		if series, _ := metricsOf(t, address); series[sent] != 2 {
			return fmt.Errorf("%s is %v", sent, series[sent])
		}
		return nil
	})

	sandbox.Fault(t, sandboxtest.Fault{Fault: "status", Status: 503})
	ida.plan(today(t), freeRows()[2:3], "3")
	ida.push()
	waitFor(t, patience, "the write to wait", func() error {
		series, _ := metricsOf(t, address)
		if series[`furrow_writes{state="retry"}`]+series[`furrow_writes{state="pending"}`]+series[`furrow_writes{state="uncertain"}`] != 1 || series["furrow_oldest_unsent_write_seconds"] <= 0 {
			return fmt.Errorf("unsent for %v s", series["furrow_oldest_unsent_write_seconds"])
		}
		return nil
	})

	series, text := metricsOf(t, address)
	for _, name := range []string{
		`furrow_http_request_seconds_count{route="POST /weeks/{week}/push",status="303"}`, `furrow_db_query_seconds_count{query="SessionFind"}`,
		`furrow_jobs_total{kind="harvest_push",outcome="done"}`, `furrow_job_wait_seconds_count{kind="harvest_push"}`,
		`furrow_harvest_call_seconds_count{call="POST /v2/time_entries",class=""}`, `furrow_connections{state="ok"}`,
		`furrow_db_connections_open{pool="jobs"}`, "furrow_figures_ok", "process_resident_memory_bytes", "go_goroutines",
	} {
		if series[name] == 0 {
			t.Errorf("%s is 0 or missing", name)
		}
	}
	for _, private := range []string{"ida@", "Ida", sandboxtest.Token, "Acme", "Birch"} {
		if strings.Contains(text, private) {
			t.Errorf("the metrics hold %q", private)
		}
	}
	if status, err := program.get("/metrics"); err != nil || status != http.StatusNotFound {
		t.Errorf("the pages' address answers %d for metrics, %v", status, err)
	}

	waitFor(t, patience, "the log to lead from the last click to its call", func() error {
		log, err := os.ReadFile(program.log)
		if err != nil {
			return err
		}
		clicks := regexp.MustCompile(`msg=request method=POST route="POST /weeks/{week}/push" .* request=([0-9a-f]+)`).FindAllSubmatch(log, -1)
		if len(clicks) != 2 {
			return fmt.Errorf("%d clicks", len(clicks))
		}
		if !regexp.MustCompile(`msg=harvest call="GET /v2/time_entries" .* request=` + string(clicks[1][1]) + ` job=[0-9]+ write=[0-9]+`).Match(log) {
			return errors.New("it does not")
		}
		return nil
	})
}
