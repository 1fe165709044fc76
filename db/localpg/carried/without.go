//go:build !withpostgres

package carried

// PostgreSQL is what this program carries; nil: nothing.
func PostgreSQL() *Archive { return nil }
