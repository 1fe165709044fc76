package jobs_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5/pgxpool"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/jobs"
	"furrow/jobs/mail"
	"furrow/ledger/notice"
)

// office is a database and a queue, without users and Harvest, to deliver from.
type office struct {
	store *db.Store
	pool  *pgxpool.Pool
	bell  *jobs.Queue // enqueues only
}

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{}
	o.store, o.pool = dbtest.Store(t)
	var err error
	if o.bell, err = jobs.New(o.pool, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return o
}

// run starts a queue that works, until the test ends.
func (o *office) run(t *testing.T, work *jobs.Work) {
	t.Helper()
	work.Store, work.Sweep, work.NoticeRetry = o.store, sweep, 20*time.Millisecond
	work.StartPull = func(context.Context, int64) error { return nil }
	queue, err := jobs.New(o.pool, work, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := queue.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

// send adds a mail and enqueues it.
func (o *office) send(t *testing.T, m db.Mail) (id int64) {
	t.Helper()
	err := o.store.InTx(t.Context(), func(tx *db.Tx) (err error) {
		if id, err = tx.AddMail(t.Context(), m); err != nil {
			return err
		}
		return o.bell.Mail(t.Context(), tx, id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (o *office) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := o.pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// one returns the text of the only value that the query finds.
func (o *office) one(t *testing.T, query string, args ...any) (text string) {
	t.Helper()
	if err := o.pool.QueryRow(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// await waits until a mail is in a state and returns its error.
func (o *office) await(t *testing.T, id int64, state string) string {
	t.Helper()
	waitFor(t, "mail to be "+state, func() bool { return o.one(t, "select state from mails where id = $1", id) == state })
	return o.one(t, "select error from mails where id = $1", id)
}

// postman is a mail server on this machine.
type postman struct {
	answers []error // to one DATA after the other; then it takes all. errHangUp: take it and drop the line

	mu    sync.Mutex
	mails []string
}

var errHangUp = errors.New("hang up")

type visit struct {
	*postman
	conn *smtp.Conn
}

func (p *postman) NewSession(conn *smtp.Conn) (smtp.Session, error) { return visit{p, conn}, nil }

func (visit) Reset()                               {}
func (visit) Logout() error                        { return nil }
func (visit) Mail(string, *smtp.MailOptions) error { return nil }
func (visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, Message: "no such user here"}
	}
	return nil
}

func (v visit) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var answer error
	if len(v.answers) > 0 {
		answer, v.answers = v.answers[0], v.answers[1:]
	}
	if errors.Is(answer, errHangUp) {
		v.conn.Conn().Close()
		answer = nil
	}
	if answer == nil {
		v.mails = append(v.mails, string(text))
	}
	return answer
}

func (p *postman) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails)
}

// listen opens at address, which may be a port that is to be found.
func (p *postman) listen(t *testing.T, address string) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(p)
	server.Domain, server.ErrorLog = "localhost", slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

func sender(t *testing.T, address string) *mail.Sender {
	t.Helper()
	s, err := mail.New(mail.Config{URL: "smtp://" + address, From: "furrow@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMail: a mail is sent when the server is there again. Nobody can read it in
// the database meanwhile, and afterwards it is not there.
func TestMail(t *testing.T) {
	t.Parallel()
	o, p := openOffice(t), &postman{answers: []error{&smtp.SMTPError{Code: 451, Message: "another time"}}}
	address := p.listen(t, "127.0.0.1:0")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := free.Addr().String()
	free.Close()
	late := &postman{}
	lateOffice := openOffice(t)

	const secret = "https://furrow.example/reset/canary"
	m := db.Mail{To: "ida@example.com", Subject: "A new password", Text: "Go to " + secret + "\n"}
	id, lateID := o.send(t, m), lateOffice.send(t, m)
	for _, x := range []*office{o, lateOffice} {
		if n := x.one(t, "select count(*)::text from mails x where to_jsonb(x)::text like '%canary%' or position('canary'::bytea in sealed) > 0"); n != "0" {
			t.Error("the text can be read in the database")
		}
		if n := x.one(t, "select count(*)::text from river_job x where to_jsonb(x)::text like '%canary%' or to_jsonb(x)::text like '%ida@%'"); n != "0" {
			t.Error("the job holds more than an id")
		}
	}
	o.run(t, &jobs.Work{Mailer: sender(t, address)})
	o.await(t, id, "sent")
	if mails := p.taken(); len(mails) != 1 || !strings.Contains(mails[0], secret) {
		t.Errorf("arrived: %q", mails)
	}
	if got := o.one(t, "select (sealed is null)::text || attempts from mails"); got != "true2" {
		t.Errorf("erased, and after how many attempts: %s", got)
	}

	lateOffice.run(t, &jobs.Work{Mailer: sender(t, down)})
	waitFor(t, "attempts to fail", func() bool {
		return lateOffice.one(t, "select (attempts > 2 and error <> '')::text from mails") == "true"
	})
	late.listen(t, down)
	lateOffice.await(t, lateID, "sent")
	if mails := late.taken(); len(mails) != 1 {
		t.Errorf("%d arrived", len(mails))
	}
}

// TestMailTwice: a mail that was taken, while the line broke before the server
// could say so, is sent again under the same id.
func TestMailTwice(t *testing.T) {
	t.Parallel()
	o, p := openOffice(t), &postman{answers: []error{errHangUp}}
	o.run(t, &jobs.Work{Mailer: sender(t, p.listen(t, "127.0.0.1:0"))})
	other := o.send(t, db.Mail{To: "ida@example.com", Subject: "Hello", Text: "one"})
	o.await(t, other, "sent")
	o.await(t, o.send(t, db.Mail{To: "ida@example.com", Subject: "Hello", Text: "two"}), "sent")
	var ids []string
	for _, text := range p.taken() {
		m, err := netmail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.Header.Get("Message-Id"))
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("ids %v, want the first one twice, and another", ids)
	}
}

// TestMailEnds: a refusal is final, and so is a day of failures.
func TestMailEnds(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.run(t, &jobs.Work{Mailer: sender(t, (&postman{}).listen(t, "127.0.0.1:0"))})
	refused := o.send(t, db.Mail{To: "nobody@example.com", Subject: "Hello", Text: "canary"})
	if reason := o.await(t, refused, "refused"); !strings.Contains(reason, "no such user here") {
		t.Errorf("the reason is %q", reason)
	}
	if got := o.one(t, "select (sealed is null)::text || attempts from mails where id = $1", refused); got != "true1" {
		t.Errorf("erased, and after how many attempts: %s", got)
	}

	ill := openOffice(t)
	id := ill.send(t, db.Mail{To: "ida@example.com", Subject: "Hello", Text: "canary"})
	ill.exec(t, "update mails set created_at = now() - interval '25 hours'")
	ill.run(t, &jobs.Work{Mailer: mailerFunc(func(notice.Letter) error { return errors.New("not\r\nnow") })})
	if reason := ill.await(t, id, "given_up"); reason != "not  now" {
		t.Errorf("the reason is %q", reason)
	}
	if got := ill.one(t, "select (sealed is null)::text from mails"); got != "true" {
		t.Error("the text is still there")
	}
}

type mailerFunc func(notice.Letter) error

func (f mailerFunc) Send(_ context.Context, letter notice.Letter) error { return f(letter) }

// TestMailLost: a mail whose job is gone, or whose sender died half-way, is found
// again; one that is being sent is left alone, and one that another key sealed
// does not come back for ever.
func TestMailLost(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	m := db.Mail{To: "ida@example.com", Subject: "Hello", Text: "text"}
	lost, died, busy, foreign := o.send(t, m), o.send(t, m), o.send(t, m), o.send(t, m)
	o.exec(t, "delete from river_job")
	o.exec(t, "update mails set ring_at = now() - interval '1 second'")
	o.exec(t, "update mails set state = 'sending', attempts = 1, sending_at = now() - interval '2 minutes' where id = $1", died)
	o.exec(t, "update mails set state = 'sending', attempts = 1, sending_at = now() where id = $1", busy)
	o.exec(t, "update mails set sealed = (select sealed from mails where id = $1) where id = $2", lost, foreign)
	var mu sync.Mutex
	var sent []int64
	o.run(t, &jobs.Work{Mailer: mailerFunc(func(letter notice.Letter) error {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, letter.ID)
		return nil
	})})
	o.await(t, lost, "sent")
	o.await(t, died, "sent")
	o.await(t, foreign, "given_up")
	waitFor(t, "all to be rung for", func() bool {
		return o.one(t, "select count(*)::text from river_job where kind = 'send_mail' and state = 'completed'") >= "3"
	})
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(sent)
	if !slices.Equal(sent, []int64{lost, died}) {
		t.Errorf("sent %v, want %d and %d", sent, lost, died)
	}
	if state := o.one(t, "select state || attempts from mails where id = $1", busy); state != "sending1" {
		t.Errorf("the one that is being sent is %s", state)
	}
}

// TestNoMailer: without a mail server, mails wait for a process that has one.
func TestNoMailer(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.run(t, &jobs.Work{})
	id := o.send(t, db.Mail{To: "ida@example.com", Subject: "Hello", Text: "text"})
	// Another job of the queue comes after it, and is worked.
	waitFor(t, "the daily job to be done", func() bool {
		return o.one(t, "select count(*)::text from river_job where kind = $1 and state = 'completed'", jobs.RecurArgs{}.Kind()) == "1"
	})
	if state := o.one(t, "select state || (select state from river_job where kind = 'send_mail') from mails where id = $1", id); state != "queuedavailable" {
		t.Errorf("the mail and its job are %s", state)
	}
	o.run(t, &jobs.Work{Mailer: mailerFunc(func(notice.Letter) error { return nil })})
	o.await(t, id, "sent")
}

// TestBadMail: what is not a mail is not stored.
func TestBadMail(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	err := o.store.InTx(t.Context(), func(tx *db.Tx) error {
		_, err := tx.AddMail(t.Context(), db.Mail{To: "ida@example.com", Subject: "Hello\nBcc: eva@example.com"})
		return err
	})
	if !errors.Is(err, notice.ErrBadMail) {
		t.Error(err)
	}
}
