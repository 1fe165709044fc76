package db

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable reports whether err means that the database could not be
// reached, was shutting down or full, took no changes, or took too long:
// nothing is wrong with the request, and the same one may succeed later.
func Unavailable(err error) bool {
	var connectErr *pgconn.ConnectError
	if errors.As(err, &connectErr) {
		return true
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		// Classes: connection exceptions, resources, operator intervention
		// (shutdown, cancelled statement).
		return strings.HasPrefix(pgErr.Code, "08") || strings.HasPrefix(pgErr.Code, "53") ||
			strings.HasPrefix(pgErr.Code, "57") || thrownBack(err) || TakesNoChanges(err)
	}
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, errBroken) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// TakesNoChanges reports whether err means that the database can be read but
// stores nothing: its disk is full, or it was made read-only. That is for the
// operator to heal; what is stored stays readable.
func TakesNoChanges(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && (pgErr.Code == "53100" || pgErr.Code == "25006")
}
