package handlers

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"furrow/db"
)

// What is far more than anybody types into a field, in bytes, and more than
// any column of text holds of it.
const (
	hugeField  = 300_000
	manyFields = 5_000
	mostText   = 10_000
	hugeQuery  = 12_000 // as much as the header of a request may hold
)

// Whatever field of whatever form is huge, the answer is one for people and
// comes soon, and nothing huge is stored.
func TestEveryFieldIsLimited(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.OAuth = &OAuth{AuthorizeURL: func(string, string, string) string { return "https://id.example.com/authorize" }}
	})
	ada := b.ada()
	b.exec("update users set role = $1 where id = $2", db.RoleAdmin, ada.user)
	in := b.loggedIn(adaEmail)
	huge := []string{strings.Repeat("1", hugeField), strings.Repeat("é", hugeField/2), strings.Repeat("a b ", hugeField/4)}
	tried := 0
	check := func(what string, ask func() answer) {
		t.Helper()
		tried++
		began := time.Now()
		got := ask()
		if got.status == 0 || got.status >= http.StatusInternalServerError {
			t.Errorf("%s: status %d", what, got.status)
		}
		if took := time.Since(began); took > requestTimeout {
			t.Errorf("%s: it took %s", what, took)
		}
	}
	for _, a := range accesses(ada) {
		switch path, query, _ := strings.Cut(a.path, "?"); {
		case strings.HasPrefix(a.pattern, "GET "):
			fields, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range append(slices.Sorted(maps.Keys(fields)), "q", "next") {
				changed := maps.Clone(fields)
				changed.Set(name, strings.Repeat("1", hugeQuery))
				check(a.pattern+"?"+name, func() answer { return in.get(path + "?" + changed.Encode()) })
			}
		default:
			for _, name := range append(slices.Sorted(maps.Keys(a.form)), "other") {
				if name == "other" && len(a.form) == 0 {
					continue // it would be done
				}
				changed := maps.Clone(a.form)
				changed[name] = []string{huge[tried%len(huge)]}
				check(a.pattern+" "+name, func() answer { return in.post(a.path, changed) })
				changed[name] = slices.Repeat([]string{a.form.Get(name)}, manyFields)
				check(a.pattern+" many of "+name, func() answer { return in.post(a.path, changed) })
			}
		}
	}
	if tried < 200 {
		t.Errorf("only %d requests were tried", tried)
	}
	rows, err := b.pool.Query(t.Context(), `select c.table_name, c.column_name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
		where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type in ('text', 'character varying', 'bytea', 'jsonb')`)
	if err != nil {
		t.Fatal(err)
	}
	var columns [][2]string
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, [2]string{table, column})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		var most int
		if err := b.pool.QueryRow(t.Context(), `select coalesce(max(octet_length(`+c[1]+`::text)), 0) from `+c[0]).Scan(&most); err != nil {
			t.Fatal(err)
		}
		if most > mostText {
			t.Errorf("%s.%s holds %d bytes", c[0], c[1], most)
		}
	}
}
