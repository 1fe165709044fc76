package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/harvest"
	"furrow/harvest/sandbox/sandboxtest"
	"furrow/ledger"
	"furrow/planner"
)

// throughHarvest lets the program connect with the Harvest at an address, by
// the real adapter.
func throughHarvest(t *testing.T, address string) func(*Deps) {
	t.Helper()
	remote, err := harvest.New(harvest.Config{BaseURL: address, Contact: "test@example.com", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remote.Close)
	return func(d *Deps) {
		d.Connect = func(ctx context.Context, token ledger.Secret, accountID int64) (ledger.Account, error) {
			return remote.Client(harvest.Credentials{Tokens: ledger.StaticToken(token), AccountID: accountID}, harvest.Interactive).Account(ctx)
		}
	}
}

func harvestForm(token, account string) url.Values {
	return url.Values{"token": {token}, "account_id": {account}}
}

func (b *testBundle) connections() int {
	b.t.Helper()
	return b.count("select count(*) from harvest_connections")
}

func TestConnect(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "")
	b := setup(t, throughHarvest(t, sandbox.URL))
	id := b.ida()
	ida := b.loggedIn(idaEmail)
	if page := ida.get("/settings/harvest"); page.status != http.StatusOK || page.text(t, "#h-connect") == "" || page.text(t, "#h-account") != "" {
		t.Fatalf("before: status %d", page.status)
	}

	got := ida.post("/settings/harvest", harvestForm(" "+sandboxtest.Token+"\n", "1001"))
	if got.status != http.StatusSeeOther || !strings.HasPrefix(got.location(), "/weeks/") {
		t.Fatalf("status %d to %q: %s", got.status, got.location(), got.body)
	}
	user, err := b.store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	week := planner.WeekOf(user.Profile.Today(time.Now()), user.Profile.WeekStart)
	if want := "/weeks/" + week.String(); got.location() != want {
		t.Errorf("led to %s, want %s: the week as the account begins it", got.location(), want)
	}
	c, err := b.store.Connection(t.Context(), id)
	if err != nil || c.State != ledger.Connected || c.Account.AccountID != sandboxtest.AccountID || c.Account.UserID != sandboxtest.UserID {
		t.Fatalf("connection %+v, error %v", c, err)
	}
	credentials, err := b.store.Credentials(t.Context(), c.ID)
	if err != nil || credentials.Token.Reveal() != sandboxtest.Token {
		t.Errorf("the stored token does not open: %v", err)
	}
	if runs := b.count("select count(*) from sync_runs where user_id = $1 and trigger = 'connect' and state = 'queued'", id); runs != 1 {
		t.Errorf("%d first syncs", runs)
	}
	if pulls := b.count("select count(*) from river_job where kind = 'harvest_pull'"); pulls != 1 || b.rung(c.ID) != 1 {
		t.Errorf("%d pulls, rung %d times", pulls, b.rung(c.ID))
	}
	page := ida.get("/settings/harvest")
	for selector, want := range map[string]string{
		".flash.good": "Connected with", "#h-account": c.Account.CompanyName, "dl.pairs": "Monday", ".mark.s-sent": "connected",
	} {
		if text := page.text(t, selector); !strings.Contains(text, want) {
			t.Errorf("%s says %q, want %q", selector, text, want)
		}
	}
	if page.text(t, "#h-connect") != "" {
		t.Error("a connection that works is offered to be made")
	}

	// Once more with the same account: the token is replaced, and the sync under way joined.
	if got := ida.post("/settings/harvest", harvestForm(sandboxtest.Token, "1001")); got.status != http.StatusSeeOther {
		t.Errorf("again: status %d: %s", got.status, got.body)
	}
	if n := b.count("select count(*) from sync_runs"); n != 1 || b.connections() != 1 {
		t.Errorf("again: %d syncs, %d connections", n, b.connections())
	}
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "")
	b := setup(t, throughHarvest(t, sandbox.URL))
	b.ida()
	ida := b.loggedIn(idaEmail)
	const typed = "<i>12"
	for _, test := range []struct {
		name           string
		foreignAccount string // how Harvest answers for an account that is not the token's
		fault          *sandboxtest.Fault
		token, account string
		wantSelector   string
		wantWords      string
	}{
		{"nothing typed", "", nil, "", "", "#f-token-error", "Paste the token"},
		{"no account", "", nil, canaryToken, "", "#f-account_id-error", "Type the account ID"},
		{"account is no number", "", nil, canaryToken, typed, "#f-account_id-error", "is a number"},
		{"token with a blank in it", "", nil, "canary token", "1001", "#f-token-error", "does not look like a token"},
		{"token is a book", "", nil, strings.Repeat("x", maxToken+1), "1001", "#f-token-error", "does not look like a token"},
		{"wrong token", "", nil, canaryToken, "1001", "#f-token-error", "does not accept this token for account 1001"},
		{"wrong account, 401", "401", nil, sandboxtest.Token, "2002", "#f-token-error", "for account 2002"},
		{"wrong account, 403", "403", nil, sandboxtest.Token, "2002", "#f-account_id-error", "does not open account 2002"},
		{"wrong account, 404", "404", nil, sandboxtest.Token, "2002", "#f-account_id-error", "does not open account 2002"},
		{"Harvest is down", "", &sandboxtest.Fault{Fault: "status", Status: 503, Body: "html"}, canaryToken, "1001", ".flash.bad", "Harvest did not answer (503)"},
		{"Harvest asks to wait", "", &sandboxtest.Fault{Fault: "status", Status: 429, RetryAfter: 30}, canaryToken, "1001", ".flash.bad", "Harvest asked for a pause. Try again in 3"},
		{"connection breaks", "", &sandboxtest.Fault{Fault: "drop_before"}, canaryToken, "1001", ".flash.bad", "broke off"},
		{"not Harvest", "", &sandboxtest.Fault{Fault: "html_200"}, canaryToken, "1001", ".flash.bad", "could not be read"},
	} {
		sandbox.ClearFaults(t)
		if test.foreignAccount != "" {
			sandbox.Switch(t, map[string]any{"foreign_account": test.foreignAccount})
		}
		if test.fault != nil {
			sandbox.Fault(t, *test.fault)
		}
		got := ida.post("/settings/harvest", harvestForm(test.token, test.account))
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, test.wantSelector), test.wantWords) {
			t.Errorf("%s: status %d, %s says %q, want %q", test.name, got.status, test.wantSelector, got.text(t, test.wantSelector), test.wantWords)
		}
		if test.token != "" && strings.Contains(got.body, `value="`+test.token) {
			t.Errorf("%s: the form shows the token", test.name)
		}
		if test.account != "" && !strings.Contains(got.body, strings.ReplaceAll(test.account, "<i>", "&lt;i&gt;")) {
			t.Errorf("%s: the account ID is not in the form any more", test.name)
		}
		if n := b.connections() + b.count("select count(*) from sync_runs") + b.count("select count(*) from river_job"); n != 0 {
			t.Fatalf("%s: something was stored", test.name)
		}
	}
	if got := b.browser().post("/settings/harvest", harvestForm(canaryToken, "1001")); got.status != http.StatusUnauthorized {
		t.Errorf("nobody: status %d", got.status)
	}
	if got := b.browser().get("/settings/harvest"); got.location() != "/login?next=%2Fsettings%2Fharvest" {
		t.Errorf("nobody is led to %q", got.location())
	}
	b.searchToken(t, ida, canaryToken)
}

func TestConnectUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	b := setup(t, throughHarvest(t, address))
	b.ida()
	got := b.loggedIn(idaEmail).post("/settings/harvest", harvestForm(canaryToken, "1001"))
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".flash.bad"), "Harvest could not be reached") {
		t.Errorf("status %d: %q", got.status, got.text(t, ".flash.bad"))
	}
	if b.connections() != 0 {
		t.Error("something was stored")
	}
}

func TestConnectSlow(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "")
	sandbox.Fault(t, sandboxtest.Fault{Fault: "delay", DelayMS: 30_000})
	b := setup(t, throughHarvest(t, sandbox.URL))
	b.ida()
	ida := b.loggedIn(idaEmail)
	start := time.Now()
	got := ida.post("/settings/harvest", harvestForm(canaryToken, "1001"))
	if took := time.Since(start); took > 20*time.Second { // Harvest would take 30
		t.Errorf("it took %s", took)
	}
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".flash.bad"), "did not answer within 5 seconds") {
		t.Errorf("status %d: %q", got.status, got.text(t, ".flash.bad"))
	}
	if b.connections() != 0 {
		t.Error("something was stored")
	}
	b.searchToken(t, ida, canaryToken)
}

// An adapter that does not keep time is not waited for any longer.
func TestConnectDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.Connect = func(ctx context.Context, _ ledger.Secret, _ int64) (ledger.Account, error) {
			<-ctx.Done()
			return ledger.Account{}, ctx.Err()
		}
	})
	b.ida()
	got := b.loggedIn(idaEmail).post("/settings/harvest", harvestForm(canaryToken, "1001"))
	if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".flash.bad"), "did not answer within 5 seconds") {
		t.Errorf("status %d: %q", got.status, got.text(t, ".flash.bad"))
	}
}

// Our own mistakes are not told as Harvest's.
func TestConnectBroken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.Connect = func(context.Context, ledger.Secret, int64) (ledger.Account, error) {
			return ledger.Account{}, errors.New("out of order")
		}
	})
	b.ida()
	got := b.loggedIn(idaEmail).post("/settings/harvest", harvestForm(canaryToken, "1001"))
	if got.status != http.StatusInternalServerError || strings.Contains(got.body, "out of order") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "")
	b := setup(t, throughHarvest(t, sandbox.URL))
	id := b.ida()
	ida := b.loggedIn(idaEmail)
	connect := func(token, account string) answer { return ida.post("/settings/harvest", harvestForm(token, account)) }
	if got := connect(sandboxtest.Token, "1001"); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	c, err := b.store.Connection(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	waiting := b.write(id, c.ID, seeded{state: ledger.Pending, wait: time.Hour})

	// While it works, a token that does not is told, and changes nothing.
	if got := connect(canaryToken, "1001"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.text(t, ".flash.bad"), "is as it was") {
		t.Errorf("bad token: status %d: %q", got.status, got.text(t, ".flash.bad"))
	}
	if _, err := b.store.Credentials(t.Context(), c.ID); err != nil {
		t.Errorf("a refused token broke the connection: %v", err)
	}

	if err := b.store.RevokeConnection(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	page := ida.get("/settings/harvest")
	if text := page.text(t, ".flash.bad"); !strings.Contains(text, "no longer accepts the token. 1 change is safe here.") || page.text(t, "#h-connect") == "" {
		t.Errorf("revoked: the page says %q", text)
	}
	if state := b.stateOf(waiting); state != ledger.Blocked {
		t.Fatalf("the write is %s", state)
	}
	rung := b.rung(c.ID)
	if got := connect(sandboxtest.Token, "1001"); got.status != http.StatusSeeOther {
		t.Fatalf("again: status %d: %s", got.status, got.body)
	}
	if state := b.stateOf(waiting); state != ledger.Pending || b.rung(c.ID) != rung+1 {
		t.Errorf("the write is %s, rung %d more times", state, b.rung(c.ID)-rung)
	}

	if got := ida.post("/settings/harvest/disconnect", nil); got.status != http.StatusSeeOther || got.location() != "/settings/harvest" {
		t.Fatalf("disconnect: status %d to %q", got.status, got.location())
	}
	if n := b.count("select count(*) from harvest_connections where state = 'disconnected' and credentials is null"); n != 1 {
		t.Error("the credentials are still there")
	}
	page = ida.get("/settings/harvest")
	if text := page.text(t, ".flash.good"); !strings.Contains(text, "the token is erased. 1 change waits here") {
		t.Errorf("after disconnecting: %q", text)
	}
	if text := page.text(t, ".card .flash.bad"); !strings.Contains(text, "You disconnected Furrow from Harvest.") {
		t.Errorf("disconnected: the page says %q", text)
	}
	if got := ida.post("/settings/harvest/disconnect", nil); got.status != http.StatusSeeOther {
		t.Errorf("disconnect again: status %d", got.status)
	}

	for _, other := range []struct{ name, token, account, selector, want string }{
		{"another account", sandboxtest.OtherToken, "2002", "#f-account_id-error", "(1001), so another account cannot be connected"},
		{"another user of the account", sandboxtest.MemberToken, "1001", "#f-token-error", "and this token is Jonas Lind's"},
	} {
		got := connect(other.token, other.account)
		if got.status != http.StatusConflict || !strings.Contains(got.text(t, other.selector), other.want) {
			t.Errorf("%s: status %d: %q", other.name, got.status, got.text(t, other.selector))
		}
		if n := b.count("select count(*) from harvest_connections where state = 'disconnected' and credentials is null"); n != 1 {
			t.Errorf("%s: it was stored", other.name)
		}
	}
	if got := connect(sandboxtest.Token, "1001"); got.status != http.StatusSeeOther {
		t.Errorf("the same account: status %d: %s", got.status, got.body)
	}
	if n := b.count("select count(*) from writes where state = 'pending' and id = $1", waiting); n != 1 {
		t.Error("the write was lost")
	}
}

// What a member may not read is told as assumed; what the user chose as chosen.
func TestConnectionInWords(t *testing.T) {
	t.Parallel()
	sandbox := sandboxtest.Start(t, "")
	b := setup(t, throughHarvest(t, sandbox.URL))
	id := b.ida()
	ida := b.loggedIn(idaEmail)
	saturday := time.Saturday
	if err := b.store.SetPreferences(t.Context(), id, db.Preferences{WeekStart: &saturday, TimeZone: "America/New_York"}); err != nil {
		t.Fatal(err)
	}
	if got := ida.post("/settings/harvest", harvestForm(sandboxtest.MemberToken, "1001")); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	text := ida.get("/settings/harvest").text(t, "dl.pairs")
	for _, want := range []string{"Jonas Lind", "administrators only", "(you chose Saturday)", "(you chose America/New York)", "hours and minutes, 1:30", "a week", "none yet"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q: %s", want, text)
		}
	}
}

func TestTokenIsNowhere(t *testing.T) {
	t.Parallel()
	b := setup(t, func(d *Deps) {
		d.Connect = func(context.Context, ledger.Secret, int64) (ledger.Account, error) {
			return ledger.Account{AccountID: 7, UserID: 8, CompanyName: "Berg Studio", TimeZone: "UTC", Clock: "24h", DurationFormat: planner.HoursMinutes}, nil
		}
	})
	b.user(idaEmail, true)
	ida := b.loggedIn(idaEmail)
	if got := ida.post("/settings/harvest", harvestForm(canaryToken, "7")); got.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	b.searchToken(t, ida, canaryToken)
}

// searchToken looks for a token in the log, in every column of the database,
// and on the pages that tell of connections, writes and jobs.
func (b *testBundle) searchToken(t *testing.T, in *browser, token string) {
	t.Helper()
	if strings.Contains(b.log.String(), token) {
		t.Error("the token is in the log")
	}
	for _, page := range []string{"/settings", "/settings/harvest", "/ledger", "/admin/writes", "/admin/jobs", "/admin/connections", "/admin/limits", "/admin/audit", "/admin/users"} {
		if strings.Contains(in.get(page).body, token) {
			t.Errorf("the token is on %s", page)
		}
	}
	rows, err := b.pool.Query(t.Context(), "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'")
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil || len(tables) < 15 {
		t.Fatalf("%d tables, error %v", len(tables), err)
	}
	for _, name := range tables {
		// As text, bytea is in hexadecimal: the token is looked for in both forms.
		const query = ` r where r::text like '%' || $1 || '%' or r::text like '%' || encode(convert_to($1, 'UTF8'), 'hex') || '%'`
		if n := b.count("select count(*) from "+name+query, token); n != 0 {
			t.Errorf("the token is in table %s", name)
		}
	}
}
