package harvest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"furrow/ledger"
)

// FuzzScanner: the scanner takes what encoding/json takes, and nothing else.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `{"a":[1,2,{"b":null}],"c":"\ud83c\udf3e"}`, `[1,]`, `{"a":1,}`, `{,}`, `01`, `-`, `-0.0e+1`, `1.`, `"\x"`, `"\`, "\"\x00\"", "\"\xff\"",
		`nul`, `truefalse`, `[[[]]`, ` {"a" : [ ] } `, `{"a"}`, `{"a":}`, `"\u12"`, "\x00", `[1 2]`, `{"a":1 "b":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := scanner{text: text}
		s.skip()
		s.end()
		if strings.Count(string(text), "[")+strings.Count(string(text), "{") > maxDepth {
			return // perhaps too deep for us
		}
		if valid := json.Valid(text); valid != (s.err == nil) {
			t.Errorf("valid is %v, scanner says %v", valid, s.err)
		}
	})
}

func FuzzDecodeEntries(f *testing.F) {
	for _, seed := range []string{
		`{"time_entries":[{"id":1,"spent_date":"2026-01-15","hours":1.5,"notes":"x","user":{"id":2,"name":"y"},"external_reference":{"id":3}}],"total_pages":1,"links":{"next":null}}`,
		`{"time_entries":[{"id":"1","spent_date":"2026-01-15","hours":"1e1"}],"links":{"next":"https://api.harvestapp.com/v2/time_entries?page=2"}}`,
		`{"time_entries":[null],"links":{}}`, `{"time_entries":{}}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		page, _, err := decodeEntries(body)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Fatal("read what is not JSON")
		}
		for _, e := range page.Entries {
			if e.ID <= 0 || strings.ContainsRune(e.Notes, 0) {
				t.Errorf("entry %+v", e)
			}
		}
	})
}

func FuzzLocalLink(f *testing.F) {
	h, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"https://api.harvestapp.com/v2/time_entries?cursor=abc&per_page=2000", "https://api.harvestapp.com/api/v2/users/1/project_assignments?page=2",
		"http://api.harvestapp.com/v2/x", "https://evil.example/v2/x", "//evil.example/v2/x", "https://api.harvestapp.com@evil.example/v2/x",
		"https://api.harvestapp.com/v2/../admin", "https://api.harvestapp.com/v2/%2e%2e/admin", "https://api.harvestapp.com:443/v2/x", "/v2/x",
		"https://api.harvestapp.com/v2/x#y", "https://API.harvestapp.com/v2/x", "https:api.harvestapp.com/v2/x", `https://api.harvestapp.com\@evil.example/v2/x`, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		local, err := h.localLink(link)
		if err != nil {
			return
		}
		again, err := resumeLink(local)
		if err != nil || again != local {
			t.Fatalf("%q became %q, which does not resume: %q, %v", link, local, again, err)
		}
		// What is called in the end has our host, whoever parses it.
		where, query, _ := strings.Cut(local, "?")
		u, err := url.Parse((&url.URL{Scheme: "https", Host: "api.harvestapp.com", Path: where, RawQuery: query}).String())
		if err != nil || u.Host != "api.harvestapp.com" || !strings.HasPrefix(u.Path, "/v2/") && !strings.HasPrefix(u.Path, "/api/v2/") || strings.Contains(u.Path, "..") && !apiPath(u.Path) {
			t.Fatalf("%q leads to %v, %v", link, u, err)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "7", "0", "-1", "3600", "99999999999999999999", "1.5", "Mon, 23 Nov 2026 12:00:07 GMT", "Mon, 23 Nov 2020 12:00:00 GMT", "soon"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		for _, class := range []ledger.GateClass{ledger.GateGeneral, ledger.GateReports} {
			header := http.Header{"Retry-After": {value}}
			wait, _ := retryAfter(header, class, now)
			if wait < minWait || wait > maxWait {
				t.Errorf("Retry-After %q gives %v", value, wait)
			}
		}
	})
}

func FuzzZone(f *testing.F) {
	for _, seed := range []string{"Copenhagen", "Eastern Time (US & Canada)", "Europe/Berlin", "Local", "", "../etc/passwd", "Nuku’alofa", "UTC"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		iana, _ := zone(name)
		if _, err := time.LoadLocation(iana); err != nil || iana == "" || iana == "Local" {
			t.Errorf("zone(%q) = %q, which is none: %v", name, iana, err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value     string
		class     ledger.GateClass
		want      time.Duration
		wantAsked bool
	}{
		{"7", ledger.GateGeneral, 7 * time.Second, true},
		{"0", ledger.GateGeneral, time.Second, true},
		{"3600", ledger.GateGeneral, 15 * time.Minute, true},
		{"18446744073709551615", ledger.GateGeneral, 15 * time.Minute, true},
		{"Mon, 23 Nov 2026 12:00:30 GMT", ledger.GateGeneral, 30 * time.Second, true},
		{"Mon, 23 Nov 2026 11:00:00 GMT", ledger.GateGeneral, time.Second, true},
		{"Tue, 23 Nov 2027 12:00:00 GMT", ledger.GateReports, 15 * time.Minute, true},
		{"", ledger.GateGeneral, 15 * time.Second, false},
		{"", ledger.GateReports, time.Minute, false},
		{"-5", ledger.GateGeneral, 15 * time.Second, false},
	} {
		wait, asked := retryAfter(http.Header{"Retry-After": {tt.value}}, tt.class, now)
		if wait != tt.want || asked != tt.wantAsked {
			t.Errorf("Retry-After %q for %s: %v, %v; want %v, %v", tt.value, tt.class, wait, asked, tt.want, tt.wantAsked)
		}
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	if len(railsZones) < 151 {
		t.Errorf("%d zones, Rails has 151 at least", len(railsZones))
	}
	for rails, iana := range railsZones {
		if _, err := time.LoadLocation(iana); err != nil {
			t.Errorf("%s: %v", rails, err)
		}
	}
	for _, tt := range []struct {
		name, want string
		wantKnown  bool
	}{
		{"Copenhagen", "Europe/Copenhagen", true},
		{"Pacific Time (US & Canada)", "America/Los_Angeles", true},
		{"Nuku’alofa", "Pacific/Tongatapu", true},
		{"Europe/Berlin", "Europe/Berlin", true},
		{"UTC", "Etc/UTC", true},
		{"Local", "UTC", false},
		{"", "UTC", false},
		{"Middle Earth", "UTC", false},
	} {
		if got, known := zone(tt.name); got != tt.want || known != tt.wantKnown {
			t.Errorf("zone(%q) = %q, %v; want %q, %v", tt.name, got, known, tt.want, tt.wantKnown)
		}
	}
}
