package db

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A pooler such as PgBouncer may lend a connection for one transaction and then
// give it to somebody else (pool_mode = transaction). So over such an address
// nothing may be left behind in a session: no prepared statements, no settings
// outside of a transaction, no locks but a transaction's, and no LISTEN.

// pooledMode is what marks an address, in the words of pgx: statements have no
// names, and go to the server whole in one message.
const pooledMode = "default_query_exec_mode=cache_describe"

// Pooled returns the address url marked as one that leads through a pooler of
// transactions.
func Pooled(url string) string {
	switch {
	case !strings.Contains(url, "://"):
		return url + " " + pooledMode
	case strings.Contains(url, "?"):
		return url + "&" + pooledMode
	default:
		return url + "?" + pooledMode
	}
}

// isPooled reports whether a connection may be another one after a transaction.
func isPooled(c *pgx.ConnConfig) bool {
	return c.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
}

// The limits that each session sets, so that nobody waits for a lock, or holds
// one, for ever. They are no parameters of the connection, of which PgBouncer
// knows only a few.
const (
	lockTimeout = "10s"
	idleTimeout = "30s" // in a transaction
)

// sessionLimits is the statement that sets the limits for a session, or in
// place of that for a transaction.
func sessionLimits(scope string) string {
	return fmt.Sprintf("set %[1]s lock_timeout = '%[2]s'; set %[1]s idle_in_transaction_session_timeout = '%[3]s'", scope, lockTimeout, idleTimeout)
}

// beginning is how a transaction begins.
func beginning(pooled bool) pgx.TxOptions {
	if !pooled {
		return pgx.TxOptions{}
	}
	return pgx.TxOptions{BeginQuery: "begin; " + sessionLimits("local")}
}
