package harvest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sethvargo/go-retry"

	"furrow/ledger"
)

const (
	// maxBody is the most that one answer may hold, decompressed. A page of
	// 2000 entries has 2 to 3 MB.
	maxBody = 8 << 20
	// maxRefusal is the most that is read of an answer that is no success.
	maxRefusal = 64 << 10
	// quickRetries and quickBudget bound what is tried again within one call.
	quickRetries = 2
	quickBudget  = 2 * time.Second
	// untrustedWait is how long a Harvest whose certificate is not good is left alone.
	untrustedWait = time.Minute
	// maxPause is the longest wait for our own pace that a call sits out.
	maxPause = 2 * time.Second
)

// errDeadline ends a context because Harvest took too long, as opposed to the
// caller having given up.
var errDeadline = errors.New("harvest did not answer in time")

// call is one request to the data API, or to Harvest ID.
type call struct {
	method string
	path   string // below the host, "/v2/time_entries/17"
	name   string // path template for errors and logs, "/v2/time_entries/{id}"
	query  string // encoded
	body   []byte // JSON, nil for none
	class  ledger.GateClass
	// identity: the call is for Harvest ID, which knows no account header.
	identity bool
	// token goes along as bearer; do sets it to the connection's. Empty: none.
	token ledger.Secret
	// form: the body is a form that holds secrets, to be kept out of whatever is
	// told; no bearer goes along.
	form    bool
	secrets []ledger.Secret
	// judge, if not nil, says what an answer of the 400s in one of Harvest's
	// shapes means.
	judge func(refused *ledger.CallError, body []byte) error
	// decode reads the body of a success. Its error makes the answer
	// unreadable, which for a write means that its effect is unknown.
	decode func(body []byte) error
	// emptyOK: a success may come without a body; decode is not called then.
	emptyOK bool
}

func (c call) write() bool { return c.method != http.MethodGet }

// attempt is what one sending of a call came to.
type attempt struct {
	err     error
	class   ledger.Class
	status  int  // 0 if no answer came
	again   bool // worth another try at once: harmless, and it may help
	failure ledger.GateFailure
	blocked time.Duration // Harvest asked for this much silence
	answer  bool          // Harvest answered on purpose
	detail  string        // cause, for the log alone
}

// do makes a call and says what its failure proves. The errors are those of
// [ledger.Remote].
//
// It tries again within [quickBudget]: a GET after a broken connection or a
// 5xx, and anything that provably never left. A write of which a byte may have
// reached Harvest is never sent twice, by us or by the transport: no request
// carries the Idempotency-Key header that would let net/http replay it.
//
// A 401 proves that nothing was done. After one the access token is renewed
// and the call made again, once, whatever it is. All of a write together, this
// included, is over when the deadline for one write is.
func (c *Client) do(ctx context.Context, what call) error {
	if what.write() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.h.writeTimeout, errDeadline)
		defer cancel()
	}
	var err error
	if what.token, err = c.access(ctx, what, c.credentials.Tokens.Token); err != nil {
		return err
	}
	refused := c.try(ctx, what)
	if !refusedToken(refused) {
		return refused
	}
	rejected := what.token
	what.token, err = c.access(ctx, what, func(ctx context.Context) (ledger.Secret, error) {
		return c.credentials.Tokens.Renew(ctx, rejected)
	})
	switch {
	case errors.Is(err, ledger.ErrAccessRevoked), err == nil && what.token == rejected:
		return refused
	case err != nil:
		return err
	}
	return c.try(ctx, what)
}

// refusedToken reports whether err is Harvest's answer that the access token
// is not good.
func refusedToken(err error) bool {
	var refused *ledger.CallError
	return errors.Is(err, ledger.ErrAccessRevoked) && errors.As(err, &refused) && refused.Status == http.StatusUnauthorized
}

// access asks for the token to make the call with. Whatever goes wrong there,
// this call has had no effect: its error is of class NotSent, or tells to wait.
func (c *Client) access(ctx context.Context, what call, ask func(context.Context) (ledger.Secret, error)) (ledger.Secret, error) {
	asking, cancel := context.WithTimeoutCause(ctx, c.timeout(what), errDeadline)
	defer cancel()
	token, err := ask(asking)
	var wait *ledger.WaitError
	var inner *ledger.CallError
	switch {
	case err == nil && sendable(token):
		return token, nil
	case err == nil, errors.Is(err, ledger.ErrAccessRevoked):
		// No token that cannot stand in a header was ever issued.
		return "", fmt.Errorf("%w: %w", ledger.ErrAccessRevoked, c.failed(what, ledger.NotSent, ledger.ReasonAuth))
	case errors.As(err, &wait):
		return "", err
	case ctx.Err() != nil:
		return "", c.ended(ctx, c.failed(what, ledger.NotSent, ledger.ReasonTimeout))
	}
	failed := c.failed(what, ledger.NotSent, ledger.ReasonUnreachable)
	switch {
	case asking.Err() != nil:
		failed.Reason = ledger.ReasonTimeout
	case errors.As(err, &inner):
		failed.Reason = inner.Reason
	}
	return "", fmt.Errorf("%w: get an access token: %w", failed, err)
}

// timeout is the time that one sending of a call may take.
func (c *Client) timeout(what call) time.Duration {
	if what.write() {
		return c.h.writeTimeout
	}
	return c.h.readTimeout
}

// try makes a call with the token that it holds.
func (c *Client) try(ctx context.Context, what call) error {
	var last error
	start := time.Now()
	backoff := retry.WithMaxRetries(quickRetries, retry.WithJitterPercent(20, retry.NewExponential(200*time.Millisecond)))
	within := retry.BackoffFunc(func() (time.Duration, bool) {
		wait, stop := backoff.Next()
		return wait, stop || time.Since(start)+wait > quickBudget
	})
	err := retry.Do(ctx, within, func(ctx context.Context) error {
		pass, err := c.admit(ctx, what)
		if err != nil {
			last = err
			return err
		}
		began := time.Now()
		result := c.send(ctx, what)
		c.settle(ctx, pass, result)
		took := time.Since(began)
		c.observe(what, result, took)
		c.logCall(ctx, what, result, took)
		last = result.err
		if result.err != nil && result.again {
			return retry.RetryableError(result.err)
		}
		return result.err
	})
	if err == nil {
		return nil
	}
	if last == nil { // the context was over before the first try
		return c.ended(ctx, c.failed(what, ledger.NotSent, ledger.ReasonTimeout))
	}
	return last
}

// observe measures what was sent.
func (c *Client) observe(what call, result attempt, took time.Duration) {
	if result.err == nil {
		result.class = ""
	}
	c.h.observer.Call(what.method+" "+what.name, result.class, result.status, took)
}

// admit asks the gate. A short wait for our own pace is sat out, so that a
// listing is slowed down instead of torn, and a write goes out behind the look
// before it. The time counts as that of the call: ctx ends when it must be over.
func (c *Client) admit(ctx context.Context, what call) (ledger.GatePass, error) {
	if c.h.gate == nil || c.credentials.ConnectionID == 0 {
		return ledger.GatePass{}, nil
	}
	request := ledger.GateRequest{ConnectionID: c.credentials.ConnectionID, Class: what.class, Reserve: c.reserve}
	for paused := time.Duration(0); ; {
		pass, err := c.h.gate.Admit(ctx, request)
		if err == nil {
			return pass, nil
		}
		var wait *ledger.WaitError
		if !errors.As(err, &wait) {
			failed := c.failed(what, ledger.NotSent, ledger.ReasonUnreachable)
			return ledger.GatePass{}, fmt.Errorf("%w: ask the gate: %w", failed, err)
		}
		c.h.observer.Wait(wait.Why)
		paused += wait.Wait
		if wait.Why != ledger.WaitLimit || paused > maxPause {
			return ledger.GatePass{}, err
		}
		timer := time.NewTimer(wait.Wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ledger.GatePass{}, c.ended(ctx, c.failed(what, ledger.NotSent, ledger.ReasonTimeout))
		}
	}
}

// settle tells the gate how an admitted call ended. The outcome stands whether
// or not the gate could note it.
func (c *Client) settle(ctx context.Context, pass ledger.GatePass, result attempt) {
	if c.h.gate == nil || c.credentials.ConnectionID == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	var err error
	if result.blocked > 0 {
		err = c.h.gate.Blocked(ctx, pass, result.blocked)
	}
	switch {
	case result.failure != "":
		err = errors.Join(err, c.h.gate.Failed(ctx, pass, result.failure))
	case result.answer && pass.Unsettled:
		err = errors.Join(err, c.h.gate.Succeeded(ctx, pass))
	}
	if err != nil {
		c.h.log.WarnContext(ctx, "note the outcome of a call to Harvest", "connection", c.credentials.ConnectionID, "error", err)
	}
}

// send makes one request and reads its answer.
func (c *Client) send(ctx context.Context, what call) attempt {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout(what), errDeadline)
	defer cancel()

	var sent progress
	traced := httptrace.WithClientTrace(ctx, sent.trace())
	request, err := c.request(traced, what)
	if err != nil {
		return attempt{err: c.failed(what, ledger.NotSent, ledger.ReasonUnreachable), class: ledger.NotSent, detail: err.Error()}
	}
	client := c.h.http
	if what.identity {
		client = c.h.idHTTP
	}
	response, err := client.Do(request)
	if err != nil {
		return c.noAnswer(ctx, what, err, sent.maybe(ctx))
	}
	defer func() {
		// What is left is small or not worth the connection.
		_, _ = io.CopyN(io.Discard, response.Body, maxRefusal)
		_ = response.Body.Close()
	}()
	if response.StatusCode/100 == 2 {
		return c.success(ctx, what, response)
	}
	return c.refusal(ctx, what, response)
}

// progress watches how far a request has come.
type progress struct {
	connected, began atomic.Bool
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:          func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteHeaderField: func(string, []string) { p.began.Store(true) },
		WroteHeaders:     func() { p.began.Store(true) },
	}
}

// maybe reports whether a byte can have reached Harvest. Before the first
// header was encoded none can. If ctx is over, the transport may have returned
// while its writer still runs, so that having a connection is enough.
func (p *progress) maybe(ctx context.Context) bool {
	return p.began.Load() || ctx.Err() != nil && p.connected.Load()
}

func (c *Client) request(ctx context.Context, what call) (*http.Request, error) {
	base := c.h.base
	if what.identity {
		base = c.h.id
	}
	address := url.URL{Scheme: base.Scheme, Host: base.Host, Path: what.path, RawQuery: what.query}
	var body io.Reader
	if what.body != nil {
		body = bytes.NewReader(what.body)
	}
	request, err := http.NewRequestWithContext(ctx, what.method, address.String(), body)
	if err != nil {
		return nil, errors.New("build the request") // its text would hold the query
	}
	// authentication-api/authentication; harvest-api.md, section 2.1.
	if what.token != "" {
		request.Header.Set("Authorization", "Bearer "+what.token.Reveal())
	}
	if !what.identity {
		request.Header.Set("Harvest-Account-Id", strconv.FormatInt(c.credentials.AccountID, 10))
	}
	request.Header.Set("User-Agent", c.h.userAgent)
	request.Header.Set("Accept", "application/json")
	switch {
	case what.form:
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	case body != nil:
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// noAnswer judges a request that failed before an answer's head was read.
func (c *Client) noAnswer(ctx context.Context, what call, err error, sent bool) attempt {
	result := attempt{class: ledger.NotSent, detail: causeText(err)}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		// Not a matter of seconds, and nobody we may tell anything.
		c.h.log.ErrorContext(ctx, "the certificate at Harvest's address is not good; nothing is sent there", "call", what.name, "detail", result.detail)
		result.failure = ledger.FailureProvider
		result.err = &ledger.WaitError{Wait: jitter(untrustedWait), Why: ledger.WaitUntrusted}
		return result
	}
	reason := ledger.ReasonUnreachable
	if sent {
		result.class, reason = ledger.Unknown, ledger.ReasonBroken
	}
	if ctx.Err() != nil {
		reason = ledger.ReasonTimeout
	}
	return c.transportFailed(ctx, what, result, reason)
}

// transportFailed completes the judgement on a connection that failed. A
// caller who gave up says nothing about Harvest.
func (c *Client) transportFailed(ctx context.Context, what call, result attempt, reason ledger.Reason) attempt {
	failed := c.failed(what, result.class, reason)
	failed.Status = result.status
	result.err = c.ended(ctx, failed)
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errDeadline) {
		return result
	}
	result.failure = ledger.FailureProvider
	result.again = ctx.Err() == nil && (!what.write() || result.class == ledger.NotSent)
	return result
}

// success reads an answer of the 200s.
func (c *Client) success(ctx context.Context, what call, response *http.Response) attempt {
	result := attempt{class: ledger.Unknown, status: response.StatusCode}
	body, err := readBody(response, maxBody)
	unreadable := func(detail string) attempt {
		result.err = c.answered(what, ledger.Unknown, ledger.ReasonUnreadable, response)
		result.failure = ledger.FailureProvider
		result.detail = detail
		return result
	}
	switch {
	case errors.Is(err, errTooLarge):
		return unreadable("more than 8 MB")
	case err != nil:
		result.detail = causeText(err)
		reason := ledger.ReasonBroken
		if ctx.Err() != nil {
			reason = ledger.ReasonTimeout
		}
		return c.transportFailed(ctx, what, result, reason)
	case len(bytes.TrimSpace(body)) == 0 && what.emptyOK:
		return attempt{status: response.StatusCode, answer: true}
	case !isJSON(response.Header):
		return unreadable("not JSON")
	}
	if err := what.decode(body); err != nil {
		return unreadable(err.Error())
	}
	return attempt{status: response.StatusCode, answer: true}
}

// refusal judges every other answer by its status first, because not every
// body is JSON (harvest-api.md, section 4).
//
// A refusal counts as Harvest's only if its body has one of Harvest's shapes:
// a 401 or 404 of a hotel's network or a proxy must not end a connection or
// prove that an entry is gone. Such an answer is unreadable, of class Unknown,
// like Harvest's own HTML page for a path that it does not know. A 429 is
// believed in any form; Harvest's was recorded with an HTML body.
func (c *Client) refusal(ctx context.Context, what call, response *http.Response) attempt {
	status := response.StatusCode
	result := attempt{class: ledger.Unknown, status: status}
	body, _ := readBody(response, maxRefusal) // a cut-off body has no shape of Harvest's
	wait, asked := retryAfter(response.Header, what.class, time.Now())

	switch {
	case status == http.StatusTooManyRequests:
		result.class, result.blocked, result.answer = ledger.Refused, jitter(wait), true
		result.err = &ledger.WaitError{Wait: result.blocked, Why: ledger.WaitAsked, Status: status}
		return result
	case status == http.StatusServiceUnavailable && asked:
		// A wait, not a failure. But nobody says that a front end answers 503
		// only before it has passed a request on, so a write stays unknown; the
		// gate then keeps the look-up waiting too.
		result.blocked = jitter(wait)
		if what.write() {
			result.err = c.answered(what, ledger.Unknown, ledger.ReasonServer, response)
		} else {
			result.err = &ledger.WaitError{Wait: result.blocked, Why: ledger.WaitAsked, Status: status}
		}
		return result
	case status >= 500:
		result.err = c.answered(what, ledger.Unknown, ledger.ReasonServer, response)
		result.failure = ledger.FailureProvider
		if status == http.StatusInternalServerError {
			result.failure = ledger.FailureConnection
		}
		result.again = !what.write() && ctx.Err() == nil
		return result
	case status < 400: // 3xx
		result.err = c.answered(what, ledger.Unknown, ledger.ReasonUnreadable, response)
		result.failure = ledger.FailureProvider
		result.detail = "redirect refused"
		return result
	}

	message, ours := refusalMessage(response.Header, body)
	if !ours || status == http.StatusRequestTimeout {
		result.err = c.answered(what, ledger.Unknown, ledger.ReasonUnreadable, response)
		result.detail = "refusal in a form that is not Harvest's"
		return result
	}
	result.class, result.answer = ledger.Refused, true
	refused := c.answered(what, ledger.Refused, ledger.ReasonInvalid, response)
	if what.judge != nil {
		result.err = what.judge(refused, body)
		return result
	}
	refused.Message = what.foreign(message)
	result.err = refused
	switch status {
	case http.StatusUnauthorized:
		refused.Reason = ledger.ReasonAuth
		result.err = fmt.Errorf("%w: %w", ledger.ErrAccessRevoked, refused)
	case http.StatusForbidden:
		refused.Reason = ledger.ReasonForbidden
	case http.StatusNotFound, http.StatusGone:
		refused.Reason = ledger.ReasonNotFound
	}
	return result
}

// failed starts a CallError for what.
func (c *Client) failed(what call, class ledger.Class, reason ledger.Reason) *ledger.CallError {
	return &ledger.CallError{Class: class, Reason: reason, Call: what.method + " " + what.name}
}

// answered is failed with what the answer's head says.
func (c *Client) answered(what call, class ledger.Class, reason ledger.Reason, response *http.Response) *ledger.CallError {
	e := c.failed(what, class, reason)
	e.Status = response.StatusCode
	// harvest-api.md, section 4: answers carry X-Request-Id.
	e.RequestID = what.foreign(response.Header.Get("X-Request-Id"))
	if len(e.RequestID) > 100 {
		e.RequestID = ""
	}
	return e
}

// ended adds the reason why the caller's context is over, if it is, so that
// errors.Is finds [context.Canceled] beside the CallError.
func (c *Client) ended(ctx context.Context, e *ledger.CallError) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), errDeadline) {
		return e
	}
	return fmt.Errorf("%w: %w", e, ctx.Err())
}

// foreign makes a text of Harvest's fit to be kept: one line of at most 500
// bytes, without what the call was made with, should it ever be repeated to us.
func (c call) foreign(text string) string {
	for _, secret := range slices.Concat(c.secrets, []ledger.Secret{c.token}) {
		if secret != "" {
			text = strings.ReplaceAll(text, secret.Reveal(), secret.String())
		}
	}
	return clip(text, 500)
}

func (c *Client) logCall(ctx context.Context, what call, result attempt, took time.Duration) {
	level := slog.LevelDebug
	if result.err != nil {
		level = slog.LevelInfo
	}
	if !c.h.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("call", what.method+" "+what.name), slog.Int("status", result.status),
		slog.Duration("took", took), slog.Int64("connection", c.credentials.ConnectionID),
	}
	if result.err != nil {
		attrs = append(attrs, slog.String("error", result.err.Error()), slog.String("detail", what.foreign(result.detail)))
	}
	c.h.log.LogAttrs(ctx, level, "harvest", attrs...)
}

// causeText is the text of a transport's error without the address, whose
// query says what somebody worked on.
func causeText(err error) string {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return err.Error()
}

var errTooLarge = errors.New("answer too large")

// readBody reads at most limit bytes, and gives errTooLarge if there are more.
func readBody(response *http.Response, limit int64) ([]byte, error) {
	if response.ContentLength > limit {
		return nil, errTooLarge
	}
	var buffer bytes.Buffer
	if response.ContentLength > 0 {
		buffer.Grow(int(response.ContentLength) + bytes.MinRead)
	}
	n, err := buffer.ReadFrom(io.LimitReader(response.Body, limit+1))
	if err == nil && n > limit {
		err = errTooLarge
	}
	return buffer.Bytes(), err
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// refusalMessage returns what Harvest says to a refusal, and whether the body
// has one of its three shapes (harvest-api.md, section 4). A 401 with the
// documented challenge needs no body.
func refusalMessage(header http.Header, body []byte) (message string, ours bool) {
	challenge := strings.HasPrefix(strings.ToLower(header.Get("WWW-Authenticate")), "bearer ")
	if !isJSON(header) {
		return "", challenge
	}
	var shape struct {
		Message     text `json:"message"`
		Error       text `json:"error"`
		Description text `json:"error_description"`
	}
	if json.Unmarshal(body, &shape) != nil {
		return "", challenge
	}
	for _, said := range []text{shape.Message, shape.Description, shape.Error} {
		if said != "" {
			return string(said), true
		}
	}
	return "", challenge
}

// sendable reports whether token can stand in a header: printable ASCII.
func sendable(token ledger.Secret) bool {
	for _, r := range token.Reveal() {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return token != ""
}
