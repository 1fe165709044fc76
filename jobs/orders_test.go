package jobs_test

import (
	"testing"
	"time"

	"furrow/db"
	"furrow/ledger"
)

// An order is carried out while the writes are being sent, even if its job was
// lost, and doubles nothing.
func TestOrders(t *testing.T) {
	t.Parallel()
	b := setUp(t, benchOptions{})
	for i := range 4 {
		b.plan(t, b.cell(i, 1), 75, "")
	}
	b.confirm(t, nil)
	b.exec(t, "update writes set state = 'retry', not_before = now() + interval '1 hour', error_reason = 'server'")
	newest := b.number(t, "select max(id) from writes")
	var order int64
	err := b.store.InTx(t.Context(), func(tx *db.Tx) (err error) {
		order, _, err = tx.OrderAction(t.Context(), db.ActionOrder{
			MutationID: "an order of this test", ActorID: b.userID, Action: db.ActRetry, Search: db.WriteSearch{Reason: "server", UpTo: int64(newest)}, Previewed: 4,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.exec(t, "update write_actions set created_at = now() - interval '2 minutes'") // whoever was to enqueue it died
	work := b.work()
	work.Sweep = 50 * time.Millisecond
	b.run(t, work)
	b.settled(t, ledger.Done)
	b.exactlyAsPlanned(t)
	if n := b.posts(t); n != 4 {
		t.Errorf("%d creates, want 4", n)
	}
	waitFor(t, "the order to be through", func() bool {
		return b.number(t, "select count(*) from write_actions where id = $1 and changed = 4 and skipped = 0 and finished_at is not null", order) == 1
	})
}
