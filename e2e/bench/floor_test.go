package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// floors are bare handlers over the database of a program: the least that its pages and clicks could do.
type floors struct {
	p          *program
	pool       *pgxpool.Pool
	river      *river.Client[pgx.Tx]
	insert     *river.InsertOpts
	cellFiller string
	filler     string
}

func newFloors(p *program) *floors {
	p.tb.Helper()
	f := &floors{p: p, pool: p.countingPool(webConns)}
	var err error
	if f.river, err = river.NewClient(riverpgxv5.New(f.pool), &river.Config{Logger: quiet()}); err != nil {
		p.tb.Fatal(err)
	}
	return f
}

func (f *floors) serve() string {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", f.page)
	mux.HandleFunc("POST /click", f.click)
	return serve(f.p.tb, mux)
}

const floorSession = `select s.data, u.id, u.email from sessions s join users u on u.id = s.user_id where s.token_hash = $1 and s.expires_at > now()`

func (f *floors) session(r *http.Request) (userID int64, err error) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return 0, err
	}
	hashed := sha256.Sum256([]byte(cookie.Value))
	var data []byte
	var address string
	err = f.pool.QueryRow(r.Context(), floorSession, base64.RawURLEncoding.EncodeToString(hashed[:])).Scan(&data, &userID, &address)
	return userID, err
}

const floorWeek = `select cl.name, p.name, t.name,
       coalesce(sum(c.minutes) filter (where c.date = $2::date), 0)::int, coalesce(sum(c.minutes) filter (where c.date = $2::date + 1), 0)::int,
       coalesce(sum(c.minutes) filter (where c.date = $2::date + 2), 0)::int, coalesce(sum(c.minutes) filter (where c.date = $2::date + 3), 0)::int,
       coalesce(sum(c.minutes) filter (where c.date = $2::date + 4), 0)::int, coalesce(sum(c.minutes) filter (where c.date = $2::date + 5), 0)::int,
       coalesce(sum(c.minutes) filter (where c.date = $2::date + 6), 0)::int
from cells c join projects p on p.id = c.project_id join tasks t on t.id = c.task_id join clients cl on cl.id = p.client_id
where c.user_id = $1 and c.date between $2::date and $2::date + 6
group by cl.id, p.id, t.id order by cl.name, p.name, t.name`

// page is the page floor: session, one query, a component of the same number of bytes.
func (f *floors) page(w http.ResponseWriter, r *http.Request) {
	userID, err := f.session(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	rows, err := f.pool.Query(r.Context(), floorWeek, userID, f.p.week.Start.Time())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	week, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (v FloorRow, err error) {
		m := &v.Minutes
		err = row.Scan(&v.Client, &v.Project, &v.Task, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &m[6])
		return v, err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var out bytes.Buffer
	if err := FloorPage(week, f.cellFiller, f.filler).Render(r.Context(), &out); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	_, _ = w.Write(out.Bytes())
}

// fit fills the page up to size bytes, most of it in the cells.
func (f *floors) fit(c *client, size int) {
	f.p.tb.Helper()
	for range 2 {
		a := c.get("/page")
		if a.status != http.StatusOK {
			f.p.tb.Fatalf("floor: %d %s", a.status, a.body)
		}
		if f.cellFiller == "" {
			f.cellFiller = strings.Repeat("x", max(0, size-len(a.body))/max(1, bytes.Count(a.body, []byte("<td"))))
			continue
		}
		f.filler = strings.Repeat("x", max(0, size-len(a.body)))
	}
	if got := len(c.get("/page").body); got != size {
		f.p.tb.Fatalf("the floor's page has %d bytes, ours %d", got, size)
	}
}

// floorArgs is a job that does nothing.
type floorArgs struct {
	Number int64 `json:"number"`
}

func (floorArgs) Kind() string { return "floor" }

// click is the click floor: session, an update and a job in one transaction, 202.
func (f *floors) click(w http.ResponseWriter, r *http.Request) {
	userID, err := f.session(r)
	if err == nil {
		err = f.store(r.Context(), userID)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (f *floors) store(ctx context.Context, userID int64) error {
	tx, err := f.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if _, err := tx.Exec(ctx, "update harvest_connections set pulled_at = $2 where user_id = $1", userID, time.Now()); err != nil {
		return err
	}
	if _, err := f.river.InsertTx(ctx, tx, floorArgs{Number: userID}, f.insert); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
